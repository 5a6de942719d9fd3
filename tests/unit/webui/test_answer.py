"""Passing a streamed answer on."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from rightsize.catalogue import Backend
from rightsize.routing import Decision
from rightsize_webui.answer import ask, relay, relay_ollama
from tests.unit.core.build import SMALL
from tests.unit.webui.host import HELLO, FakeHost, body, run, sse

OLLAMA_HELLO = [b'{"message": {"content": "Hello"}, "done": false}', b'{"message": {"content": ""}, "done": true}']


async def stream(lines: list[bytes], error: Exception | None = None) -> AsyncIterator[bytes | str]:
    for line in lines:
        yield line
    if error:
        raise error


def whole(answer: AsyncIterator[bytes | str]) -> str:
    async def read() -> str:
        return "".join([part if isinstance(part, str) else part.decode() async for part in answer])

    return str(run(read()))


def test_stopping_closes_the_backends_stream_and_connection() -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield HELLO[0]
        finally:
            closed.append("stream")

    async def clean_up() -> None:
        closed.append("connection")

    async def stop_after_two() -> None:
        host = FakeHost()
        host.response = StreamingResponse(endless(), background=BackgroundTask(clean_up))
        response: Any = await ask(host, None, body("hello"), {}, None, Decision(SMALL, ()))
        for _ in range(2):
            await anext(response.body_iterator)
        await response.body_iterator.aclose()

    run(stop_after_two())
    assert closed == ["stream", "connection"]


def test_done_is_the_word_of_an_openai_server_but_not_of_ollama() -> None:
    lines = sse({"choices": [{"delta": {"content": "Hi"}}]}, "[DONE]")
    assert "cut off" not in whole(relay(stream(lines), "m", Backend.OPENAI))
    assert "cut off" in whole(relay(stream(lines), "m", Backend.OLLAMA))


def test_an_exception_in_the_stream_ends_it_with_a_sentence() -> None:
    answer = whole(relay(stream(HELLO[:1], ConnectionResetError("secret")), "m", Backend.OPENAI))
    assert answer.startswith(HELLO[0].decode())
    assert "The answer from m was cut off" in answer
    assert "secret" not in answer
    assert answer.endswith("data: [DONE]\n\n")


def test_ollamas_own_stream_is_passed_on_unchanged() -> None:
    assert whole(relay_ollama(stream(OLLAMA_HELLO), "m")) == b"".join(OLLAMA_HELLO).decode()


@pytest.mark.parametrize(
    ("lines", "error", "sentence"),
    [
        (OLLAMA_HELLO[:1], None, "The answer from m was cut off before its end"),
        (OLLAMA_HELLO[:1], ConnectionResetError("secret"), "The answer from m was cut off before its end"),
        ([OLLAMA_HELLO[0], b'{"error": "runner died"}'], None, "m could not answer (runner died)"),
        ([OLLAMA_HELLO[0], b"[]", b"{"], None, "The answer from m was cut off before its end"),
    ],
)
def test_ollamas_own_stream_ends_with_a_sentence_when_it_breaks(
    lines: list[bytes], error: Exception | None, sentence: str
) -> None:
    answer = whole(relay_ollama(stream(lines, error), "m"))
    assert answer.startswith(OLLAMA_HELLO[0].decode())
    last = json.loads(answer[answer.rindex('{"model"') :])
    assert last["done"]
    assert sentence in last["message"]["content"]
    assert "secret" not in answer
