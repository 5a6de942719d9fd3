"""A double of LM Studio's server.

Lists after https://lmstudio.ai/docs/developer/rest/list (v1) and https://lmstudio.ai/docs/developer/rest/endpoints (v0;
`loaded_context_length` and `capabilities` as reported in issues zed-industries/zed#25606 and
agustif/opencode-lmstudio#21); the OpenAI-compatible list after lmstudio-ai/lmstudio-bug-tracker#2139. What it refuses
is worded as in lmstudio-bug-tracker#546 (too long), #362 and #908 (images), assafelovic/gpt-researcher#1556 (unknown
model); what an embedding model says to a chat is worded freely. It answers 200 to a path that it does not have
(lmstudio-bug-tracker#618, #1323).
"""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from tests.engines.double import Record, complete, has_image, load, prompt_tokens, recorded_app

# Tokens of context with which a model is loaded when a request asks for it, unless its settings say more.
JUST_IN_TIME_CONTEXT = 4096


class LMStudio(Record):
    """LM Studio with a model that sees (not loaded), one that takes tools (loaded), and one that embeds."""

    def __init__(self, with_v1: bool = True, with_v0: bool = True) -> None:
        super().__init__()
        self.with_v1, self.with_v0 = with_v1, with_v0
        self._entries: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in load("lm_studio_v0_models")["data"]}
        self.app = recorded_app(self)
        self.app.add_api_route("/v1/chat/completions", self._chat, methods=["POST"])
        self.app.add_api_route("/{path:path}", self._get)

    def load_model(self, name: str, context: int = JUST_IN_TIME_CONTEXT) -> None:
        """Load a model with this many tokens of context."""
        self._entries[name] |= {"state": "loaded", "loaded_context_length": context}

    def unload_model(self, name: str) -> None:
        """Unload a model."""
        self._entries[name]["state"] = "not-loaded"
        self._entries[name].pop("loaded_context_length", None)

    def _v1(self) -> dict[str, Any]:
        answer: dict[str, Any] = load("lm_studio_v1_models")
        for model in answer["models"]:
            context = self._entries[model["key"]].get("loaded_context_length")
            config = {"context_length": context}
            model["loaded_instances"] = [{"id": model["key"], "config": config}] if context else []
        return answer

    async def _get(self, path: str) -> Any:
        if path == "v1/models":
            listed = [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in self._entries]
            return {"data": listed, "object": "list"}
        if path == "api/v0/models" and self.with_v0:
            return {"data": list(self._entries.values()), "object": "list"}
        if path == "api/v1/models" and self.with_v1:
            return self._v1()
        return {"error": f"Unexpected endpoint or method. (GET /{path})"}

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.chats.append(body)
        name = body.get("model")
        entry = self._entries.get(name)
        if entry is None:
            some = ", ".join(list(self._entries)[:3])
            message = f'Invalid model identifier "{name}". Please specify a valid downloaded model (e.g., {some}).'
            error = {"message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
            return JSONResponse({"error": error}, 400)
        if entry["type"] == "embeddings":
            return JSONResponse({"error": f'Model "{name}" is not an LLM.'}, 400)
        if has_image(body) and entry["type"] != "vlm":
            return JSONResponse({"error": "Model does not support images. Please use a model that does."}, 400)
        if entry["state"] != "loaded":
            self.load_model(name)
        tokens, context = prompt_tokens(body), entry["loaded_context_length"]
        if tokens > context:
            message = (
                f"Trying to keep the first {tokens} tokens when context the overflows. However, the model is loaded "
                f"with context length of only {context} tokens, which is not enough. Try to load the model with a "
                "larger context length, or provide a shorter input"
            )
            return JSONResponse({"error": message}, 400)
        return complete(body, name)
