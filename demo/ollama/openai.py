"""The routes of Ollama's OpenAI-compatible API, which it answers by way of its own.

https://github.com/ollama/ollama/blob/main/docs/api/openai-compatibility.mdx
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from demo.ollama.answering import Chunk, whole
from demo.ollama.decoding import read_body, read_json
from demo.ollama.engine import Engine, started, texts_of
from demo.ollama.errors import OllamaError
from demo.ollama.models import DemoModel, find_model
from demo.ollama.prompt import count_tokens

_ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
# What the API calls Ollama's options.
_OPTIONS = {
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}


def _refused(error: OllamaError) -> JSONResponse:
    kind = _ERROR_TYPES.get(error.status, "api_error")
    return JSONResponse({"error": {"message": str(error), "type": kind, "param": None, "code": None}}, error.status)


def _card(model: DemoModel) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": 1_767_225_600, "owned_by": "library"}


def _message(given: Any) -> dict[str, Any]:
    """A message in Ollama's form: the text of its parts together, and its images beside it."""
    if not isinstance(given, Mapping):
        raise OllamaError(400, "json: cannot unmarshal value into Go struct field ChatCompletionRequest.messages")
    content, images = given.get("content"), []
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        for part in parts:
            url = part.get("image_url")
            address = str(url.get("url", "")) if isinstance(url, Mapping) else str(url or "")
            if part.get("type") == "image_url":
                images.append(address.rpartition(",")[2])
        content = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
    message = {**given, "content": content or ""}
    return {**message, "images": images} if images else message


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Ollama's options of a request."""
    return {option: body[name] for name, option in _OPTIONS.items() if body.get(name) is not None}


def _event(data: Mapping[str, Any]) -> str:
    """A server-sent event."""
    return f"data: {json.dumps(data)}\n\n"


def _failure(chunk: Chunk) -> str:
    """The event of an error in the midst of a stream."""
    return _event({"error": {"message": chunk["error"], "type": "api_error"}})


def _ollama_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request in Ollama's form."""
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    schema = {"json_object": "json"}.get(str(kind))
    if kind == "json_schema" and isinstance(wanted, Mapping):
        schema = (wanted.get("json_schema") or {}).get("schema")
    effort = body.get("reasoning_effort")
    return {
        "model": body.get("model"),
        "messages": [_message(given) for given in body.get("messages") or []],
        "tools": body.get("tools") or [],
        "options": _options(body),
        **({"format": schema} if schema else {}),
        **({"think": effort != "none"} if effort else {}),
    }


def _usage(last: Chunk) -> dict[str, int]:
    prompt, answer = last["prompt_eval_count"], last["eval_count"]
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _said(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message, or a piece of one, in the API's form."""
    calls = [
        {
            "id": f"call_{number}",
            "index": number,
            "type": "function",
            "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])},
        }
        for number, call in enumerate(message.get("tool_calls") or [])
    ]
    thought = {"reasoning": message["thinking"]} if message.get("thinking") else {}
    calling = {"tool_calls": calls} if calls else {}
    return {"role": "assistant", "content": message.get("content", ""), **thought, **calling}


async def _events(chunks: AsyncIterator[Chunk], head: Mapping[str, Any], with_usage: bool) -> AsyncIterator[str]:
    """The chunks of an answer as server-sent events."""
    head = {**head, "object": "chat.completion.chunk"}
    called = False
    async for chunk in chunks:
        if "error" in chunk:
            yield _failure(chunk)
            return
        delta = _said(chunk["message"])
        called = called or "tool_calls" in delta
        finish = ("tool_calls" if called else chunk["done_reason"]) if chunk["done"] else None
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        yield _event({**head, "choices": [choice]})
        if chunk["done"] and with_usage:
            yield _event({**head, "choices": [], "usage": _usage(chunk)})
    yield "data: [DONE]\n\n"


async def _text_events(chunks: AsyncIterator[Chunk], head: Mapping[str, Any]) -> AsyncIterator[str]:
    """The chunks of a completion as server-sent events."""
    async for chunk in chunks:
        if "error" in chunk:
            yield _failure(chunk)
            return
        finish = chunk["done_reason"] if chunk["done"] else None
        choice = {"text": chunk["response"], "index": 0, "finish_reason": finish}
        yield _event({**head, "choices": [choice]})
    yield "data: [DONE]\n\n"


def add_routes(app: FastAPI, engine: Engine) -> None:
    """Add /v1/models, /v1/chat/completions, /v1/completions and /v1/embeddings."""

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse({"object": "list", "data": [_card(model) for model in engine.models]})

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> Response:
        model = find_model(engine.models, name)
        return JSONResponse(_card(model)) if model else _refused(OllamaError(404, f"model '{name}' not found"))

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        try:
            body = read_json(await request.body())
            if not isinstance(body, Mapping) or not body.get("messages"):
                raise OllamaError(400, "[] is too short - 'messages'")
            asked = _ollama_body(body)
            question = engine.ask(asked, asked["messages"], "message", "/v1/chat/completions")
            head = {"id": "chatcmpl-1", "created": int(time.time()), "model": question.name}
            head["system_fingerprint"] = "fp_ollama"
            if body.get("stream"):
                options = body.get("stream_options")
                with_usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
                events = _events(await started(engine.answer(question)), head, with_usage)
                return StreamingResponse(events, media_type="text/event-stream")
            last = await whole(engine.answer(question), "message")
        except OllamaError as error:
            return _refused(error)
        except ValueError as error:
            return _refused(OllamaError(400, str(error)))
        if "error" in last:
            return _refused(OllamaError(500, last["error"]))
        message = _said(last["message"])
        finish = "tool_calls" if "tool_calls" in message else last["done_reason"]
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(last)})

    @app.post("/v1/completions")
    async def complete_text(request: Request) -> Response:
        try:
            body = await read_body(request, "CompletionRequest")
            asked = {"model": body.get("model"), "prompt": body.get("prompt") or "", "options": _options(body)}
            messages = [{"role": "user", "content": asked["prompt"]}]
            question = engine.ask(asked, messages, "response", "/v1/completions")
            head = {"id": "cmpl-1", "object": "text_completion", "created": int(time.time()), "model": question.name}
            if body.get("stream"):
                events = _text_events(await started(engine.answer(question)), head)
                return StreamingResponse(events, media_type="text/event-stream")
            last = await whole(engine.answer(question), "response")
        except OllamaError as error:
            return _refused(error)
        if "error" in last:
            return _refused(OllamaError(500, last["error"]))
        choice = {"text": last["response"], "index": 0, "finish_reason": last["done_reason"]}
        return JSONResponse({**head, "system_fingerprint": "fp_ollama", "choices": [choice], "usage": _usage(last)})

    @app.post("/v1/embeddings")
    async def embed(request: Request) -> Response:
        try:
            body = await read_body(request, "EmbedRequest")
            texts = texts_of(body)
            embeddings, _ = await engine.embed(body, "/v1/embeddings", texts)
        except OllamaError as error:
            return _refused(error)
        data = [{"object": "embedding", "embedding": item, "index": i} for i, item in enumerate(embeddings)]
        count = sum(map(count_tokens, texts))
        usage = {"prompt_tokens": count, "total_tokens": count}
        return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": usage})
