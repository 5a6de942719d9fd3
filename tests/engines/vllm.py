"""A double of vLLM's server.

Its list is `ModelCard` and `ModelPermission` of vllm/entrypoints/openai/engine/protocol.py, with an adapter as
vllm/entrypoints/openai/models/serving.py lists it. Errors are `ErrorInfo` of the same file, worded as
vllm-project/vllm issues and pull requests give them: too long, tools without a parser (#9986, #30613), images (#23402).
"""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from tests.engines.double import Record, complete, has_image, load, prompt_tokens, recorded_app


def _error(code: int, message: str, kind: str, parameter: str | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "param": parameter, "code": code}}, code)


class Vllm(Record):
    """vLLM that serves Qwen2.5-32B as `assistant`, and an adapter for it.

    As it is by default it takes no tools, unless it is started with a parser for them.
    """

    def __init__(self, takes_tools: bool = False) -> None:
        super().__init__()
        self.takes_tools = takes_tools
        self.app = recorded_app(self)
        self.app.add_api_route("/v1/models", self._list)
        self.app.add_api_route("/v1/chat/completions", self._chat, methods=["POST"])

    async def _list(self) -> Any:
        return load("vllm_models")

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.chats.append(body)
        cards = {card["id"]: card for card in load("vllm_models")["data"]}
        name = body.get("model")
        if name not in cards:
            return _error(404, f"The model `{name}` does not exist.", "NotFoundError", "model")
        if body.get("tools") and body.get("tool_choice", "auto") == "auto" and not self.takes_tools:
            message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            return _error(400, message, "BadRequestError")
        if has_image(body):
            return _error(400, f"{name} is not a multimodal model", "BadRequestError")
        window = next(card["max_model_len"] for card in cards.values() if card["max_model_len"])
        tokens = prompt_tokens(body)
        if tokens + (body.get("max_tokens") or 0) > window:
            message = (
                f"This model's maximum context length is {window} tokens. However, you requested "
                f"{body.get('max_tokens') or 0} output tokens and your prompt contains at least {tokens} input tokens, "
                f"for a total of at least {tokens + (body.get('max_tokens') or 0)} tokens. Please reduce the length of "
                f"the input prompt or the number of requested output tokens. (parameter=input_tokens, value={tokens})"
            )
            return _error(400, message, "BadRequestError", "input_tokens")
        return complete(body, name)
