"""Passing a streamed answer on."""

from collections.abc import AsyncIterator

from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from rightsize.catalogue import Backend
from rightsize.locality import Location
from rightsize.routing import Decision
from rightsize_webui.answer import relay
from tests.unit.core.build import CLOUD, SMALL
from tests.unit.webui.host import HELLO, run, sse


def test_stopping_closes_the_backends_stream() -> None:
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
        response = StreamingResponse(endless(), background=BackgroundTask(clean_up))
        answer = relay(response, Decision(SMALL, ()))
        for _ in range(2):
            await anext(answer)
        await answer.aclose()  # type: ignore[attr-defined]

    run(stop_after_two())
    assert closed == ["stream", "connection"]


def answer_of(lines: list[bytes], decision: Decision) -> str:
    async def stream() -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    async def whole() -> str:
        parts = [part async for part in relay(StreamingResponse(stream()), decision)]
        return "".join(part if isinstance(part, str) else part.decode() for part in parts)

    return str(run(whole()))


def test_done_is_the_word_of_an_openai_server_but_not_of_ollama() -> None:
    lines = sse({"choices": [{"delta": {"content": "Hi"}}]}, "[DONE]")
    assert CLOUD.backend is Backend.OPENAI
    assert CLOUD.location is Location.CLOUD
    assert "cut off" not in answer_of(lines, Decision(CLOUD, ()))
    assert "cut off" in answer_of(lines, Decision(SMALL, ()))


def test_an_exception_in_the_stream_ends_it_with_a_sentence() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield HELLO[0]
        raise ConnectionResetError("secret")

    async def whole() -> list[bytes | str]:
        return [part async for part in relay(StreamingResponse(broken()), Decision(SMALL, ()))]

    parts = run(whole())
    assert parts[0] == HELLO[0]
    assert "was cut off" in parts[1]
    assert "secret" not in parts[1]
    assert parts[2] == "data: [DONE]\n\n"
