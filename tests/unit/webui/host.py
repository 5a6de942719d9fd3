"""An Open WebUI without one: what the functions ask of it, answered from a few fields."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any

from starlette.responses import StreamingResponse

from rightsize.locality import Connections
from rightsize_webui.host import OpenWebUI
from tests.unit.core.build import CONNECTIONS, ollama_entry, openai_entry

USER = {"id": "u1", "role": "user"}
SMALL, LARGE, CLOUD = "demo:3b", "demo:32b", "gpt-5"
PRIVATE = "My name is Ada Lovelace, call me on +44 20 7946 0958."
HARD = "Prove by induction that this holds, then analyze step by step, evaluate and compare every proof in depth."


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def parameter_size(size: str) -> dict[str, Any]:
    """Ollama's details of a model of this size."""
    return {"details": {"family": "llama", "parameter_size": size, "quantization_level": "Q4_K_M"}}


def body(text: str, model: str = "rightsize.auto", **more: Any) -> dict[str, Any]:
    """A streamed request of one message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], "stream": True, **more}


def sse(*events: Any) -> list[bytes]:
    """Lines of a stream of server-sent events."""
    return [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events]


HELLO = sse(
    {"choices": [{"delta": {"content": "Hello"}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 7}},
    "[DONE]",
)


class FakeHost(OpenWebUI):
    """Answers from its fields, and keeps what it was asked to complete."""

    def __init__(self) -> None:
        self.known: dict[str, Mapping[str, Any]] = {
            SMALL: ollama_entry(SMALL, **parameter_size("3B")),
            LARGE: ollama_entry(LARGE, **parameter_size("32B")),
            CLOUD: openai_entry(CLOUD),
        }
        self.hidden: set[str] = set()
        self.valves: dict[str, dict[str, Any]] = {}
        self.shows: dict[str, dict[str, Any]] = {}
        self.attributes: dict[str, Any] = {}
        self.system_prompts: dict[str, str] = {}
        self.switched_on = True
        self.lines: list[bytes] = HELLO
        self.response: Any = None
        self.error: Exception | None = None
        self.completed: list[dict[str, Any]] = []
        self.shown: list[str] = []
        self.loaded: list[str] = []
        self.installed: list[str] = []
        self.chat: Any = SimpleNamespace(
            generate_openai_chat_completion=self._sender("openai"),
            generate_ollama_chat_completion=self._sender("ollama"),
            generate_function_chat_completion=self._sender("function"),
            generate_direct_chat_completion=self._sender("direct"),
            generate_chat_completion=self._sender("chat"),
        )

    def _sender(self, name: str) -> Any:
        async def send(*given: Any, **named: Any) -> tuple[str, Any]:
            return name, named.get("form_data") or given[1]

        return send

    async def entries(self, request: Any, user: Any) -> dict[str, Mapping[str, Any]]:
        return self.known

    async def visible_entries(self, request: Any, user: Any) -> list[Mapping[str, Any]]:
        return [entry for name, entry in self.known.items() if name not in self.hidden]

    async def connections(self) -> Connections:
        return CONNECTIONS

    async def show(self, request: Any, model_id: str, user: Any) -> Mapping[str, Any]:
        self.shown.append(model_id)
        return self.shows.get(model_id, {})

    async def user(self, user: Mapping[str, Any]) -> Any:
        return SimpleNamespace(**user)

    async def complete(self, request: Any, body: dict[str, Any], user: Any) -> Any:
        self.completed.append(body)
        if self.error:
            raise self.error
        if self.response is not None:
            return self.response

        async def stream() -> AsyncIterator[bytes]:
            for line in self.lines:
                yield line

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def saved_valves(self, function_id: str) -> dict[str, Any]:
        return self.valves.get(function_id, {})

    async def is_switched_on(self, filter_id: str) -> bool:
        return self.switched_on

    async def load_if_switched_on(self, function_id: str) -> None:
        self.loaded.append(function_id)

    async def install_packages(self, packages: list[str]) -> None:
        self.installed += packages
        if self.error:
            raise self.error

    async def function_attribute(self, request: Any, function_id: str, attribute: str) -> Any:
        return self.attributes.get(function_id)

    async def preset_system_prompt(self, model_id: str, metadata: Mapping[str, Any], user: Any) -> str:
        return self.system_prompts.get(model_id, "")

    def chat_module(self) -> Any:
        return self.chat


class Status:
    """Keeps the lines that would be shown above an answer."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, event: dict[str, Any]) -> None:
        assert event["type"] == "status"
        self.lines.append(event["data"]["description"])


async def read(response: StreamingResponse) -> str:
    """A streamed response whole."""
    return "".join([bytes(p).decode() if not isinstance(p, str) else p async for p in response.body_iterator])
