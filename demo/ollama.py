"""A double of Ollama's HTTP API.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from demo.models import DEMO_MODELS, DemoModel
from demo.replies import count_tokens, pieces, reply, tool_call
from demo.scheduler import Scheduler, parse_keep_alive

VERSION = "0.12.6"
DEFAULT_CONTEXT = 4096
FOR_EVER = timedelta(days=36_500)


@dataclass
class Behaviour:
    """How the double behaves: its speed, and what it is to get wrong. Tests change this while it runs.

    `seconds_per_piece` is for a model of 10^9 parameters and grows with size.
    """

    max_loaded_models: int = 3
    keep_alive: float = 300.0
    load_seconds_per_billion: float = 0.0
    seconds_per_piece: float = 0.0
    cut_stream_after: int | None = None
    fail_stream_with: str | None = None
    refuse_with: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    stopped_early: int = 0


class OllamaError(Exception):
    """An error as Ollama answers it: a status and {"error": ...}."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


@dataclass
class Engine:
    """The models, the scheduler and the behaviour behind one double."""

    models: Sequence[DemoModel]
    behaviour: Behaviour
    scheduler: Scheduler

    def find(self, body: dict[str, Any]) -> DemoModel:
        """The model that a request names. Raises OllamaError as Ollama would."""
        name = body.get("model") or body.get("name")
        if not name:
            raise OllamaError(400, "model is required")
        tagged = name if ":" in str(name) else f"{name}:latest"
        for model in self.models:
            if model.name == tagged:
                return model
        raise OllamaError(404, f"model '{name}' not found")

    def keep_alive(self, body: dict[str, Any]) -> float | None:
        """The keep_alive of a request in seconds, or None for the default. Raises OllamaError."""
        if body.get("keep_alive") is None:
            return None
        try:
            return parse_keep_alive(body["keep_alive"])
        except ValueError as error:
            raise OllamaError(400, str(error)) from error

    async def load_or_unload(self, model: DemoModel, body: dict[str, Any], empty: dict[str, Any]) -> dict[str, Any]:
        """A request without a prompt: load the model, or with keep_alive 0 unload it."""
        keep_alive = self.keep_alive(body)
        answer = {"model": model.name, "created_at": _now(), **empty, "done": True}
        if keep_alive == 0:
            self.scheduler.unload(model)
            return {**answer, "done_reason": "unload"}
        async with self.scheduler.use(model, keep_alive, _context(body)):
            return {**answer, "done_reason": "load"}

    async def generate(
        self, model: DemoModel, body: dict[str, Any], messages: list[dict[str, Any]], key: str
    ) -> AsyncIterator[dict[str, Any]]:
        """The chunks of an answer, under `message` for /api/chat and `response` for /api/generate."""
        started = time.monotonic()
        tool = tool_call(body.get("tools") or [], messages) if key == "message" else None
        words = [] if tool else pieces(reply(model.name, messages))
        context = _context(body)
        finished = False
        try:
            async with self.scheduler.use(model, self.keep_alive(body), context) as load_seconds:
                if tool:
                    call = {"function": {"name": tool, "arguments": {}}}
                    yield _chunk(model, key, "", tool_calls=[call])
                for number, word in enumerate(words):
                    if self.behaviour.cut_stream_after is not None and number >= self.behaviour.cut_stream_after:
                        raise ConnectionResetError("the double was told to cut this stream")
                    if self.behaviour.fail_stream_with and number >= 2:
                        yield {"error": self.behaviour.fail_stream_with}
                        finished = True
                        return
                    await asyncio.sleep(self.behaviour.seconds_per_piece * model.parameters_billion)
                    yield _chunk(model, key, word)
                finished = True
                total = time.monotonic() - started
                yield {
                    **_chunk(model, key, ""),
                    "done": True,
                    "done_reason": "stop",
                    "total_duration": _nanoseconds(total),
                    "load_duration": _nanoseconds(load_seconds),
                    # Ollama drops what does not fit the context, without a word.
                    "prompt_eval_count": min(count_tokens(messages), context),
                    "prompt_eval_duration": 1_000_000,
                    "eval_count": max(1, len(words)),
                    "eval_duration": max(1, _nanoseconds(total - load_seconds)),
                }
        finally:
            if not finished:
                self.behaviour.stopped_early += 1


def _context(body: dict[str, Any]) -> int:
    options = body.get("options")
    asked = options.get("num_ctx") if isinstance(options, dict) else None
    return asked if isinstance(asked, int) and asked > 0 else DEFAULT_CONTEXT


def _chunk(model: DemoModel, key: str, text: str, **message: Any) -> dict[str, Any]:
    content = {"role": "assistant", "content": text, **message} if key == "message" else text
    return {"model": model.name, "created_at": _now(), key: content, "done": False}


async def _respond(chunks: AsyncIterator[dict[str, Any]], stream: bool, key: str) -> Response:
    """Newline-delimited JSON, or with stream false the chunks put together."""
    if stream:

        async def lines() -> AsyncIterator[str]:
            async for chunk in chunks:
                yield json.dumps(chunk) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")
    text, last = "", dict[str, Any]()
    calls: list[dict[str, Any]] = []
    async for chunk in chunks:
        if "error" in chunk:
            raise OllamaError(500, chunk["error"])
        last = chunk
        text += chunk[key]["content"] if key == "message" else chunk[key]
        calls += chunk[key].get("tool_calls", []) if key == "message" else []
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    return JSONResponse({**last, key: message if key == "message" else text})


def create_app(models: Sequence[DemoModel] = DEMO_MODELS, behaviour: Behaviour | None = None) -> FastAPI:
    """The double as an ASGI application."""
    behaviour = behaviour or Behaviour()
    scheduler = Scheduler(behaviour.max_loaded_models, behaviour.keep_alive, behaviour.load_seconds_per_billion)
    engine = Engine(models, behaviour, scheduler)
    app = FastAPI(title="Demo engine (a double of Ollama)", openapi_url=None)

    async def read(request: Request) -> dict[str, Any]:
        try:
            body = await request.json()
        except ValueError as error:
            raise OllamaError(400, "invalid character in request body") from error
        if not isinstance(body, dict):
            raise OllamaError(400, "json: cannot unmarshal request body")
        behaviour.requests.append({"path": request.url.path, **body})
        if behaviour.refuse_with and request.url.path in ("/api/chat", "/api/generate"):
            raise OllamaError(500, behaviour.refuse_with)
        return body

    @app.exception_handler(OllamaError)
    async def answer_error(_request: Request, error: OllamaError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=error.status)

    @app.get("/")
    async def root() -> PlainTextResponse:
        return PlainTextResponse("Ollama is running")

    @app.get("/api/version")
    async def version() -> dict[str, str]:
        return {"version": VERSION}

    @app.get("/api/tags")
    async def tags() -> dict[str, Any]:
        return {"models": [model.tag() for model in models]}

    @app.get("/api/ps")
    async def ps() -> dict[str, Any]:
        now, clock = datetime.now(UTC), time.monotonic()
        listed = []
        for entry in scheduler.loaded():
            left = entry.expires_at - clock if not entry.serving else entry.keep_alive
            expires = now + (FOR_EVER if left == float("inf") else timedelta(seconds=left))
            listed.append(
                {
                    **entry.model.tag(),
                    "expires_at": expires.isoformat(),
                    "size_vram": entry.model.size,
                    "context_length": entry.context_length,
                }
            )
        return {"models": listed}

    @app.post("/api/show")
    async def show(request: Request) -> dict[str, Any]:
        return engine.find(await read(request)).show()

    @app.post("/api/chat")
    async def chat(request: Request) -> Response:
        body = await read(request)
        model = engine.find(body)
        if "completion" not in model.capabilities:
            raise OllamaError(400, f'"{model.name}" does not support chat')
        if body.get("tools") and "tools" not in model.capabilities:
            raise OllamaError(400, f"registry.ollama.ai/library/{model.name} does not support tools")
        messages = body.get("messages") or []
        if not messages:
            empty = {"message": {"role": "assistant", "content": ""}}
            return JSONResponse(await engine.load_or_unload(model, body, empty))
        engine.keep_alive(body)
        return await _respond(engine.generate(model, body, messages, "message"), body.get("stream", True), "message")

    @app.post("/api/generate")
    async def generate(request: Request) -> Response:
        body = await read(request)
        model = engine.find(body)
        if "completion" not in model.capabilities:
            raise OllamaError(400, f'"{model.name}" does not support generate')
        if not body.get("prompt"):
            return JSONResponse(await engine.load_or_unload(model, body, {"response": ""}))
        engine.keep_alive(body)
        messages = [{"role": "user", "content": body["prompt"]}]
        return await _respond(engine.generate(model, body, messages, "response"), body.get("stream", True), "response")

    @app.post("/api/embed")
    async def embed(request: Request) -> dict[str, Any]:
        body = await read(request)
        model = engine.find(body)
        given = body.get("input")
        texts = given if isinstance(given, list) else [given] if given else []
        async with scheduler.use(model, engine.keep_alive(body), _context(body)) as load_seconds:
            return {
                "model": model.name,
                "embeddings": [_embedding(str(text)) for text in texts],
                "total_duration": 1_000_000,
                "load_duration": _nanoseconds(load_seconds),
                "prompt_eval_count": sum(len(str(text)) // 4 for text in texts),
            }

    return app


def _embedding(text: str) -> list[float]:
    """A unit vector that says only which letters a text holds: enough for a demo's search to find equal words."""
    counts = [0.0] * 64
    for word in text.lower().split():
        counts[sum(word.encode()) % 64] += 1.0
    length = sum(count * count for count in counts) ** 0.5 or 1.0
    return [count / length for count in counts]
