"""A small OpenAI-compatible server that stands in for a cloud provider: /v1/models and /v1/chat/completions."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from demo.replies import count_tokens, pieces, reply, tool_call

CLOUD_MODELS = ("demo-cloud-pro", "demo-cloud-mini")


@dataclass
class CloudBehaviour:
    """How the double behaves: seconds a piece, and after how many pieces it is to break a stream off."""

    seconds_per_piece: float = 0.0
    cut_stream_after: int | None = None


def _error(status: int, message: str, code: str) -> JSONResponse:
    """An error in OpenAI's form."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return JSONResponse(body, status_code=status)


def create_app(models: Sequence[str] = CLOUD_MODELS, behaviour: CloudBehaviour | None = None) -> FastAPI:
    """The double as an ASGI application."""
    behaviour = behaviour or CloudBehaviour()
    app = FastAPI(title="Demo cloud (a double of an OpenAI-compatible provider)", openapi_url=None)

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        data = [{"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "demo"} for name in models]
        return {"object": "list", "data": data}

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        name, messages = body.get("model"), body.get("messages") or []
        if name not in models:
            return _error(404, f"The model '{name}' does not exist", "model_not_found")
        if not messages:
            return _error(400, "Missing required parameter: 'messages'.", "missing_required_parameter")
        tool = tool_call(body.get("tools") or [], messages)
        words = [] if tool else pieces(reply(name, messages))
        usage = {"prompt_tokens": count_tokens(messages), "completion_tokens": max(1, len(words))}
        usage["total_tokens"] = sum(usage.values())
        call = {"index": 0, "id": "call_demo", "type": "function", "function": {"name": tool, "arguments": "{}"}}
        head = {"id": "chatcmpl-demo", "created": int(time.time()), "model": name}
        reason = "tool_calls" if tool else "stop"

        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(words), **({"tool_calls": [call]} if tool else {})}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

        def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice], **more})}\n\n"

        async def lines() -> AsyncIterator[str]:
            yield chunk({"role": "assistant", "content": ""})
            if tool:
                yield chunk({"tool_calls": [call]})
            for number, word in enumerate(words):
                if behaviour.cut_stream_after is not None and number >= behaviour.cut_stream_after:
                    raise ConnectionResetError("the double was told to cut this stream")
                await asyncio.sleep(behaviour.seconds_per_piece)
                yield chunk({"content": word})
            yield chunk({}, reason, usage=usage)
            yield "data: [DONE]\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    return app
