"""A question to a model server: no answer, however bad, holds up or breaks a chat."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from rightsize_webui.server_answer import MOST_BYTES, ServerAnswer, get_json
from tests.servers import Served, free_port


def bad_server(elsewhere: list[str]) -> FastAPI:
    """A server that answers each path in another bad way; `elsewhere` is where its redirection was followed to."""
    app = FastAPI()

    @app.get("/redirected")
    async def redirected() -> Response:
        return RedirectResponse("/elsewhere", 307)

    @app.get("/elsewhere")
    async def reached() -> dict[str, Any]:
        elsewhere.append("reached")
        return {"data": []}

    @app.get("/huge")
    async def huge() -> Response:
        async def zeros() -> AsyncIterator[bytes]:
            for _ in range(2 * MOST_BYTES // 100_000):
                yield b"0" * 100_000

        return StreamingResponse(zeros())

    @app.get("/slow")
    async def slow() -> Response:
        async def never() -> AsyncIterator[bytes]:
            yield b'{"data": ['
            await asyncio.sleep(30)

        return StreamingResponse(never())

    @app.get("/words")
    async def words() -> Response:
        return PlainTextResponse("hello")

    @app.get("/deep")
    async def deep() -> Response:
        return PlainTextResponse("[" * 200_000)

    @app.get("/latin")
    async def latin() -> Response:
        return Response(b'{"data": "\xff\xfe"}')

    return app


@pytest.fixture
def elsewhere() -> list[str]:
    return []


@pytest.fixture
def served(elsewhere: list[str]) -> Iterator[Served]:
    server = Served(bad_server(elsewhere), free_port())
    server.start()
    yield server
    server.stop()


def get(address: str, seconds: float = 2.0) -> ServerAnswer | None:
    return asyncio.run(get_json(address, {"Authorization": "Bearer secret"}, {}, None, seconds))


def test_a_redirection_is_not_followed_with_the_key(served: Served, elsewhere: list[str]) -> None:
    answer = get(f"{served.url}/redirected")
    assert answer == ServerAnswer(307)
    assert elsewhere == []


@pytest.mark.parametrize("path", ["huge", "slow"])
def test_too_much_and_too_slow_is_no_answer(served: Served, path: str) -> None:
    assert get(f"{served.url}/{path}", seconds=1.0) is None


@pytest.mark.parametrize("path", ["words", "deep", "latin"])
def test_what_is_no_json_has_no_body(served: Served, path: str) -> None:
    assert get(f"{served.url}/{path}") == ServerAnswer(200)


@pytest.mark.parametrize("address", ["", "nonsense", "http://", "http://[broken/", "ftp://127.0.0.1/"])
def test_what_is_no_address_is_no_answer(address: str) -> None:
    assert get(address) is None


@pytest.mark.parametrize(
    ("status", "settled"),
    [(200, True), (307, True), (400, True), (404, True), (401, False), (403, False), (429, False), (503, False)],
)
def test_what_another_time_could_be_answered_is_not_settled(status: int, settled: bool) -> None:
    assert ServerAnswer(status).settled is settled
