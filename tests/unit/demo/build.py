"""A double of Ollama without a server, and what is asked of it."""

import json
from typing import Any

from fastapi.testclient import TestClient

from demo.ollama.models import DEMO_MODELS, DemoModel

MINI, SMALL, MEDIUM, CODER, LARGE, EMBED, REMOTE = (
    "demo-mini:1b",
    "demo-small:3b",
    "demo-medium:8b",
    "demo-coder:14b",
    "demo-large:32b",
    "demo-embed:latest",
    "demo-remote:120b-cloud",
)
QUESTION = {"role": "user", "content": "How are you?"}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": {}}}


def model(name: str) -> DemoModel:
    """One of the demo's models."""
    return next(model for model in DEMO_MODELS if model.name == name)


def chat(client: TestClient, name: str = SMALL, **more: Any) -> list[dict[str, Any]]:
    """The lines of a chat's answer; one line if it is not streamed."""
    form = {"model": name, "messages": [QUESTION], **more}
    return [json.loads(line) for line in client.post("/api/chat", json=form).text.splitlines()]


def last(client: TestClient, name: str = SMALL, **more: Any) -> dict[str, Any]:
    """The last line of a chat's answer."""
    return chat(client, name, **more)[-1]


def loaded(client: TestClient) -> dict[str, dict[str, Any]]:
    """What is loaded, by name and in the order of /api/ps."""
    return {entry["name"]: entry for entry in client.get("/api/ps").json()["models"]}
