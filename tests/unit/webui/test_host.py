"""What of Open WebUI's edge can be tested without it."""

import sys
from types import ModuleType
from typing import Any

import pytest
from starlette.requests import Request

from rightsize.locality import Connection
from rightsize_webui.host import OpenWebUI, with_own_state
from tests.engines.llama_cpp import Router
from tests.servers import Served, free_port
from tests.unit.webui.host import run


def test_a_model_call_has_a_state_of_its_own() -> None:
    request = Request({"type": "http", "app": "app", "headers": [(b"a", b"b")]})
    request.state.metadata = {"chat_id": "1"}
    request.state.bypass_system_prompt = False
    own = with_own_state(request)
    own.state.bypass_system_prompt = True
    assert request.state.bypass_system_prompt is False
    assert own.state.metadata is request.state.metadata
    assert (own.app, own.headers["a"]) == ("app", "b")


def test_what_is_no_request_is_left_as_it_is() -> None:
    stand_in = object()
    assert with_own_state(stand_in) is stand_in


class SavedConnections:
    """Open WebUI's modules, as far as asking a server needs them: saved connections, and headers from a key."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, urls: list[str], keys: list[str], configs: Any) -> None:
        self.saved = {
            "openai.api_base_urls": urls,
            "openai.api_keys": keys,
            "openai.api_configs": configs,
        }
        contents: dict[str, dict[str, Any]] = {
            "open_webui": {},
            "open_webui.env": {"AIOHTTP_CLIENT_SESSION_SSL": None},
            "open_webui.models": {},
            "open_webui.models.config": {"Config": self},
            "open_webui.utils": {},
            "open_webui.utils.headers": {"get_headers_and_cookies": self.headers},
        }
        for name, content in contents.items():
            module = ModuleType(name)
            module.__dict__.update(content)
            monkeypatch.setitem(sys.modules, name, module)

    async def get_many(self, *names: str) -> dict[str, Any]:
        return {name: self.saved[name] for name in names}

    async def headers(self, request: Any, url: str, key: str, config: Any, user: Any) -> tuple[Any, Any]:
        return {"Authorization": f"Bearer {key}", **config.get("headers", {})}, {}


def test_a_server_is_asked_with_its_own_connections_key(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router(api_key="the-second")
    served = Served(router.app, free_port())
    served.start()
    url = f"{served.url}/v1"
    urls, marked = ["https://api.openai.com/v1", url], {"1": {"connection_type": "local"}}
    saved = SavedConnections(monkeypatch, urls, ["the-first", "the-second"], marked)

    def ask(connection: Connection, index: int = 1) -> Any:
        return run(OpenWebUI().ask_server(None, None, index, connection, f"{url}/models"))

    try:
        assert ask(Connection(url, "local")).status == 200
        assert router.keys == ["Bearer the-second"]
        # The connection was changed meanwhile: it may be another's server by now, with another's key.
        assert ask(Connection("http://10.0.0.7/v1", "local")) is None
        assert ask(Connection(url, "external")) is None
        assert ask(Connection(url, "local"), index=7) is None
        saved.saved["openai.api_configs"] = {"1": {"connection_type": "external"}}
        assert ask(Connection(url, "local")) is None
        assert len(router.asked) == 1
    finally:
        served.stop()


def test_a_connection_without_a_saved_key_is_asked_without(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router()
    served = Served(router.app, free_port())
    served.start()
    url = f"{served.url}/v1"
    SavedConnections(monkeypatch, [url], [], {url: {"connection_type": "local"}})
    try:
        connection = Connection(url, "local")
        assert run(OpenWebUI().ask_server(None, None, 0, connection, f"{url}/models")).status == 200
    finally:
        served.stop()
