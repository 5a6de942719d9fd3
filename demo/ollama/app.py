"""The routes of the double: Ollama's own API.

https://github.com/ollama/ollama/blob/main/docs/api.md and, where it is silent, server/routes.go beside it.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException

from demo.ollama import openai
from demo.ollama.behaviour import Behaviour
from demo.ollama.decoding import read_body
from demo.ollama.descriptions import process, show, tag
from demo.ollama.engine import Engine, OllamaJSON, respond, texts_of
from demo.ollama.errors import OllamaError, not_found
from demo.ollama.models import DEMO_MODELS, DemoModel, find_model
from demo.ollama.prompt import count_tokens
from demo.ollama.scheduler import Scheduler

VERSION = "0.33.0"


def create_app(models: Sequence[DemoModel] = DEMO_MODELS, behaviour: Behaviour | None = None) -> FastAPI:
    """The double as an ASGI application."""
    behaviour = behaviour or Behaviour()
    engine = Engine(models, behaviour, Scheduler(behaviour))
    app = FastAPI(title="Demo engine (a double of Ollama)", openapi_url=None)

    @app.exception_handler(OllamaError)
    async def refuse(_request: Request, error: OllamaError) -> Response:
        return OllamaJSON({"error": str(error)}, error.status)

    @app.exception_handler(HTTPException)
    async def not_there(_request: Request, error: HTTPException) -> Response:
        words = "405 method not allowed" if error.status_code == 405 else "404 page not found"
        return Response(words, error.status_code, {"content-type": "text/plain"})

    @app.api_route("/", methods=["GET", "HEAD"])
    async def root() -> Response:
        return PlainTextResponse("Ollama is running")

    @app.api_route("/api/version", methods=["GET", "HEAD"])
    async def version() -> Response:
        return OllamaJSON({"version": VERSION})

    @app.api_route("/api/tags", methods=["GET", "HEAD"])
    async def tags() -> Response:
        newest_first = sorted(engine.models, key=lambda model: model.modified_at, reverse=True)
        return OllamaJSON({"models": [tag(model) for model in newest_first]})

    @app.get("/api/ps")
    async def ps() -> Response:
        return OllamaJSON({"models": [process(entry, engine.behaviour.clock()) for entry in engine.scheduler.loaded()]})

    @app.post("/api/show")
    async def show_model(request: Request) -> Response:
        body = await read_body(request, "ShowRequest")
        name = str(body.get("model") or body.get("name") or "")
        if not name:
            raise OllamaError(400, "model is required")
        model = find_model(engine.models, name)
        if model is None:
            raise not_found(name if ":" in name else f"{name}:latest")
        return OllamaJSON(show(model, verbose=body.get("verbose") is True))

    @app.post("/api/chat")
    async def chat(request: Request) -> Response:
        body = await read_body(request, "ChatRequest")
        messages = body.get("messages") or []
        question = engine.ask(body, messages, "message", "/api/chat")
        if not messages:
            return OllamaJSON(await engine.load_or_unload(question))
        return await respond(engine, question, body.get("stream") is not False)

    @app.post("/api/generate")
    async def generate(request: Request) -> Response:
        body = await read_body(request, "GenerateRequest")
        said = [("system", body.get("system")), ("user", body.get("prompt"))]
        messages = [{"role": role, "content": text} for role, text in said if text]
        if messages and body.get("images"):
            messages[-1]["images"] = body["images"]
        question = engine.ask(body, messages, "response", "/api/generate")
        if not body.get("prompt"):
            return OllamaJSON(await engine.load_or_unload(question))
        return await respond(engine, question, body.get("stream") is not False)

    @app.post("/api/embed")
    async def embed(request: Request) -> Response:
        body = await read_body(request, "EmbedRequest")
        texts = texts_of(body)
        embeddings, load_seconds = await engine.embed(body, "/api/embed", texts)
        answer: dict[str, Any] = {"model": body["model"], "embeddings": embeddings}
        if texts:
            load = int(load_seconds * 1e9)
            answer |= {"total_duration": load + 1_000_000, "load_duration": load}
            answer["prompt_eval_count"] = sum(map(count_tokens, texts))
        return OllamaJSON(answer)

    @app.post("/api/embeddings")
    async def embeddings_of_old(request: Request) -> Response:
        body = await read_body(request, "EmbeddingRequest")
        texts = [body["prompt"]] if body.get("prompt") else []
        embeddings, _ = await engine.embed(body, "/api/embeddings", texts)
        return OllamaJSON({"embedding": embeddings[0] if embeddings else []})

    openai.add_routes(app, engine)
    return app
