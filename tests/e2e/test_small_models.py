"""What a real Ollama makes of small models, small windows and changing settings."""

from collections.abc import Iterator
from typing import Any

import pytest

from installer.client import OpenWebUIClient
from tests.e2e.api import answer
from tests.e2e.browser import Person
from tests.e2e.conftest import Backends

SMALL, WITHOUT_TOOLS = "demo-small:3b", "demo-mini:1b"
VALVES = "/api/v1/functions/id/rightsize/valves"


def chats(backends: Backends, model: str) -> list[dict[str, Any]]:
    """The chat requests that a model has been sent, with what became of them."""
    return [r for r in backends.ollama_behaviour.requests if r["path"] == "/api/chat" and r["model"] == model]


def test_a_presets_system_prompt_survives_the_browsers_tools(person: Person, backends: Backends) -> None:
    backends.ollama_behaviour.requests.clear()
    person.new_chat()
    person.pick("Quick assistant")
    person.say("What time zone is Tokyo in?")
    person.sees(f"This is {SMALL}")
    sent = next(request for request in chats(backends, SMALL) if request.get("tools"))
    assert len(sent["tools"]) > 20
    assert "quick assistant" in sent["messages"][0]["content"]
    assert sent["dropped_messages"] == []
    assert sent["prompt_tokens"] < sent["context_length"]


@pytest.fixture
def only_a_small_model_without_tools(admin: OpenWebUIClient) -> Iterator[None]:
    """The small tier is a model that cannot use tools, as Gemma 3 cannot."""
    valves = admin.call("GET", VALVES) or {}
    admin.call("POST", f"{VALVES}/update", json={**valves, "excluded_models": SMALL})
    yield
    admin.call("POST", f"{VALVES}/update", json={**valves, "excluded_models": ""})


@pytest.mark.usefixtures("only_a_small_model_without_tools")
@pytest.mark.xfail(strict=True, reason="tools that nobody asked for still push a greeting to a larger model")
def test_a_greeting_stays_small_where_the_small_model_has_no_tools(person: Person) -> None:
    person.new_chat()
    person.pick("Auto")
    person.say("What time zone is Lima in?")
    person.sees("stand-in without a real model")
    assert person.page.get_by_text(f"This is {WITHOUT_TOOLS}").count() == 1


@pytest.mark.xfail(strict=True, reason="presets and background work ask for windows of their own")
def test_presets_and_routes_do_not_load_a_model_anew(admin: OpenWebUIClient, backends: Backends) -> None:
    backends.ollama_behaviour.requests.clear()
    for model in ("rightsize-quick-assistant", "rightsize.small", "rightsize-quick-assistant", "rightsize.small"):
        answer(admin, model, "What time zone is Tokyo in?")
    asked = chats(backends, SMALL)
    assert len(asked) >= 4
    assert not any(request["loaded_anew"] for request in asked[1:])
