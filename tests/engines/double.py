"""What the doubles have in common: a record of what they were asked, and a small answer in OpenAI's form."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

DATA = Path(__file__).parent / "data"


def load(name: str) -> Any:
    """An answer of `data`, anew at each call."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


class Record:
    """What a double was asked: `GET /path?query` of each request, and the body of each chat completion."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: list[str] = []
        self.chats: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget it."""
        self.asked.clear()
        self.keys.clear()
        self.chats.clear()


def recorded_app(record: Record) -> FastAPI:
    """An application that records what it is asked."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)

    @app.middleware("http")
    async def keep(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        record.asked.append(f"{request.method} {request.url.path}{query}")
        record.keys.append(request.headers.get("authorization", ""))
        return await answer(request)

    return app


def _parts(messages: Any) -> Iterator[Mapping[str, Any]]:
    for message in messages or []:
        content = message.get("content")
        if isinstance(content, list):
            yield from content
        elif content:
            yield {"type": "text", "text": str(content)}


def has_image(body: Mapping[str, Any]) -> bool:
    """Whether a chat carries an image."""
    return any(part.get("type") == "image_url" for part in _parts(body.get("messages")))


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Roughly how many tokens the prompt takes: four characters each, and a few for the template."""
    text = "".join(str(part.get("text", "")) for part in _parts(body.get("messages")))
    return 24 + (len(text) + len(json.dumps(body.get("tools") or ""))) // 4


def complete(body: Mapping[str, Any], model: str, **more: Any) -> Response:
    """An answer that says which model gave it, streamed where that is asked for."""
    text = f"{model} answers."
    usage = {"prompt_tokens": prompt_tokens(body), "completion_tokens": len(text.split())}
    usage["total_tokens"] = sum(usage.values())
    head = {"id": "chatcmpl-double", "created": 1_795_632_860, "model": model}
    if not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage, **more})

    def event(choices: list[dict[str, Any]], **rest: Any) -> str:
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': choices, **rest})}\n\n"

    async def events() -> AsyncIterator[str]:
        yield event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
        for word in text.split(" "):
            yield event([{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}])
        yield event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        if (body.get("stream_options") or {}).get("include_usage"):
            yield event([], usage=usage, **more)
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")
