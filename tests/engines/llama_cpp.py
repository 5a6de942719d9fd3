"""Doubles of llama.cpp's server, build b1-86a2835: as a router of several models, and of a single one.

What was measured and is kept here: `n_ctx` is the window of one slot; asking a router for /props of a model that is not
loaded loads it, and unloads another, unless `autoload=false`; /props does not wake a model that sleeps; a router lists
"text" alone for a model with a projector that is not loaded; a single server answers whatever name it is asked for.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.engines.double import Record, complete, has_image, load, prompt_tokens, recorded_app


def _error(code: int, message: str, kind: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, "type": kind, **more}}, code)


_NOT_FOUND = {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
_NO_KEY = {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}


def _answer(body: dict[str, Any], model: str, window: int) -> Response:
    if has_image(body):
        hint = "hint: if this is unexpected, you may need to provide the mmproj"
        return _error(500, f"image input is not supported - {hint}", "server_error")
    tokens = prompt_tokens(body)
    if tokens > window:
        message = f"request ({tokens} tokens) exceeds the available context size ({window} tokens), try increasing it"
        return _error(400, message, "exceed_context_size_error", n_prompt_tokens=tokens, n_ctx=window)
    return complete(body, model)


def _common(record: Record, api_key: str) -> FastAPI:
    app = recorded_app(record)

    @app.exception_handler(404)
    async def not_found(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(_NOT_FOUND, 404)

    @app.middleware("http")
    async def check_key(request: Request, answer: Any) -> Response:
        given = request.headers.get("authorization", "")
        if api_key and given != f"Bearer {api_key}" and request.url.path != "/health":
            return JSONResponse(_NO_KEY, 401)
        response: Response = await answer(request)
        return response

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


class Router(Record):
    """A router of the models `small` (0.5 billion parameters) and `whole` (1.5 billion).

    `states` says of each whether it is loaded, loading, sleeping or unloaded.
    """

    def __init__(self, api_key: str = "", at_most: int = 1) -> None:
        super().__init__()
        self.at_most = at_most
        self.loads: list[str] = []
        self._loaded = {
            **{entry["id"]: entry for entry in load("llama_cpp_router_other_loaded")["data"] if "meta" in entry},
            **{entry["id"]: entry for entry in load("llama_cpp_router_loaded")["data"] if "meta" in entry},
        }
        self._unloaded = {entry["id"]: entry for entry in load("llama_cpp_router_unloaded")["data"]}
        self.states = dict.fromkeys(self._unloaded, "unloaded")
        self.app = _common(self, api_key)
        self.app.add_api_route("/v1/models", self._list)
        self.app.add_api_route("/models", self._list)
        self.app.add_api_route("/props", self._props)
        self.app.add_api_route("/v1/chat/completions", self._chat, methods=["POST"])
        self.app.add_api_route("/chat/completions", self._chat, methods=["POST"])

    def _entry(self, name: str) -> dict[str, Any]:
        state = self.states[name]
        entry: dict[str, Any] = (self._loaded if state in ("loaded", "sleeping") else self._unloaded)[name]
        return {**entry, "status": {**entry["status"], "value": state}}

    def load_model(self, name: str) -> None:
        """Load a model, unloading others where there are too many."""
        self.loads.append(name)
        running = [other for other, state in self.states.items() if state != "unloaded" and other != name]
        for other in running[: max(0, len(running) + 1 - self.at_most)]:
            self.states[other] = "unloaded"
        self.states[name] = "loaded"

    async def _list(self) -> Any:
        return {"data": [self._entry(name) for name in self.states], "object": "list"}

    async def _props(self, model: str = "", autoload: str = "true") -> Any:
        if not model:
            return load("llama_cpp_router_props")
        if model not in self.states:
            return _error(400, f"model '{model}' not found", "invalid_request_error")
        if self.states[model] not in ("loaded", "sleeping"):
            if autoload == "false":
                return _error(400, "model is not loaded", "invalid_request_error")
            self.load_model(model)
        return {**load("llama_cpp_props"), "model_alias": model, "is_sleeping": self.states[model] == "sleeping"}

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.chats.append(body)
        name = body.get("model")
        if not name:
            return _error(400, "model name is missing from the request", "invalid_request_error")
        if name not in self.states:
            return _error(400, f"model '{name}' not found", "invalid_request_error")
        if self.states[name] != "loaded":
            self.load_model(name)
        if "messages" not in body:
            return _error(400, "'messages' is required", "invalid_request_error")
        return _answer(body, name, self._loaded[name]["meta"]["n_ctx"])


class Single(Record):
    """A server of one model, `/srv/models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf`, which may sleep."""

    def __init__(self, api_key: str = "") -> None:
        super().__init__()
        self.sleeping = False
        self.app = _common(self, api_key)
        self.app.add_api_route("/v1/models", self._list)
        self.app.add_api_route("/models", self._list)
        self.app.add_api_route("/props", self._props)
        self.app.add_api_route("/v1/chat/completions", self._chat, methods=["POST"])

    async def _list(self) -> Any:
        return load("llama_cpp_single_models")

    async def _props(self) -> Any:
        return {**load("llama_cpp_single_props"), "is_sleeping": self.sleeping}

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.chats.append(body)
        self.sleeping = False
        (entry,) = load("llama_cpp_single_models")["data"]
        if "messages" not in body:
            return _error(400, "'messages' is required", "invalid_request_error")
        return _answer(body, entry["id"], entry["meta"]["n_ctx"])
