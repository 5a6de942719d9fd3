"""An Open WebUI that is a dictionary."""

import json
from typing import Any

import httpx

from installer.client import OpenWebUIClient


class FakeOpenWebUI:
    """The routes of Open WebUI's API that an installation uses."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, Any]] = {}
        self.valves: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, Any] = {"DEFAULT_MODELS": None, "MODEL_ORDER_LIST": []}
        self.connections: dict[str, dict[str, Any]] = {"ollama": {}, "openai": {}}
        self.embedding: dict[str, Any] = {"status": True, "RAG_EMBEDDING_ENGINE": "", "RAG_EMBEDDING_MODEL": "default"}
        self.retrieval: dict[str, Any] = {"BYPASS_EMBEDDING_AND_RETRIEVAL": False}
        self.role = "admin"
        self.features: dict[str, Any] = {"features": {"auth": True}}
        self.posts: list[str] = []

    def client(self) -> OpenWebUIClient:
        client = OpenWebUIClient("http://fake")
        client._http = httpx.Client(base_url="http://fake", transport=httpx.MockTransport(self._answer))
        return client

    def _answer(self, request: httpx.Request) -> httpx.Response:
        form = json.loads(request.content) if request.content else None
        if request.method == "POST":
            self.posts.append(request.url.path)
        answer = self._route(request.method, request.url.path, form)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, text=json.dumps(answer))

    def _route(self, method: str, path: str, form: Any) -> Any:
        parts = path.strip("/").split("/")
        if path.startswith("/api/v1/functions/id/"):
            return self._function(parts[4], "/".join(parts[5:]), method, form)
        if path.startswith("/api/v1/auths/"):
            return {"token": "t", "role": self.role}
        if path.startswith("/api/v1/retrieval/"):
            return self._retrieval(parts[3], form)
        if path in ("/ollama/config", "/openai/config"):
            return self.connections[parts[0]]
        if path in ("/ollama/config/update", "/openai/config/update"):
            self.connections[parts[0]] = form
            return form
        if path == "/api/v1/models/import":
            self.models.update({model["id"]: model for model in form["models"]})
            return True
        if path == "/api/v1/models/model/access/update":
            self.models[form["id"]] = form
            return form
        if path == "/api/v1/functions/create":
            self.functions[form["id"]] = {**form, "is_active": False, "is_global": False}
            return form
        if path == "/api/v1/configs/models":
            self.configs = form if method == "POST" else self.configs
            return self.configs
        lists = {"/api/v1/models/all": list(self.models.values()), "/api/v1/functions/": list(self.functions.values())}
        known = {"/api/v1/models/base": [], "/api/models": {}, "/api/config": self.features, **lists}
        return known.get(path, httpx.Response(404, json={"detail": "Not found"}))

    def _retrieval(self, name: str, form: Any) -> Any:
        kept = {"embedding": self.embedding, "config": self.retrieval}[name]
        kept.update(form or {})
        return kept

    def _function(self, function_id: str, action: str, method: str, form: Any) -> Any:
        function = self.functions.get(function_id)
        if function is None:
            return httpx.Response(401, json={"detail": "We could not find what you're looking for"})
        if action == "toggle":
            function["is_active"] = not function["is_active"]
        elif action == "toggle/global":
            function["is_global"] = not function["is_global"]
        elif action == "update":
            function.update(form)
        elif action == "valves/update":
            if form.get("tier_overrides") == "x":
                return httpx.Response(400, json={"detail": "The Rightsize valve 'tier_overrides' cannot be used"})
            self.valves[function_id] = form
        elif action == "valves":
            return self.valves.get(function_id)
        return function
