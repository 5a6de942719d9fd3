"""What the servers of local connections are asked, how often, and what is made of it."""

import asyncio
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from rightsize.catalogue import Tier
from rightsize.engines.facts import Facts
from rightsize.locality import Connection, Connections, Location
from rightsize.settings import RoutingSettings
from rightsize_webui.discovery import Discovery
from rightsize_webui.local_engines import ABILITIES_KEPT, FAILURE_KEPT, LIST_KEPT, LocalEngines
from rightsize_webui.server_answer import ServerAnswer, get_json
from tests.engines.double import Record, load, recorded_app
from tests.engines.llama_cpp import Router, Single
from tests.engines.lm_studio import LMStudio
from tests.engines.vllm import Vllm
from tests.servers import Served, free_port
from tests.unit.core.build import CONNECTIONS, openai_entry
from tests.unit.webui.host import CLOUD, LARGE, SMALL, FakeHost

URL = "http://127.0.0.1:1234/v1"
SETTINGS = RoutingSettings()


class Network:
    """Puts questions to the doubles, without sockets; `broken` is what happens instead of an answer."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.broken: ServerAnswer | Exception | None = None
        self.asked: list[str] = []

    async def ask_server(
        self, request: Any, user: Any, index: int, connection: Connection, address: str
    ) -> ServerAnswer | None:
        assert address.startswith(f"{urlsplit(connection.url).scheme}://{urlsplit(connection.url).netloc}/")
        self.asked.append(address)
        if isinstance(self.broken, Exception):
            raise self.broken
        if self.broken is not None:
            return self.broken
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app)) as client:
            response = await client.get(address)
        try:
            return ServerAnswer(response.status_code, response.json())
        except ValueError:
            return ServerAnswer(response.status_code)


class Asked:
    """Local engines with one connection, and a clock that tests turn."""

    def __init__(self, double: Any, mark: str | None = "local", prefix: str | None = None) -> None:
        self.network = Network(double.app)
        self.now = 0.0
        self.prefix = prefix
        self.connections = Connections(openai=(Connection(URL, mark, prefix),))
        self._engines = LocalEngines(self.network, lambda: self.now)

    def facts(self, *names: str) -> dict[str, Facts]:
        entries = [
            {"id": f"{self.prefix}.{name}" if self.prefix else name, "owned_by": "openai", "urlIdx": 0}
            for name in names
        ]
        return asyncio.run(self._engines.facts(None, None, entries, self.connections, SETTINGS))


def test_a_router_is_asked_what_its_list_does_not_tell_and_loads_nothing_for_it() -> None:
    router = Router()
    router.states["small"] = "loaded"
    told = Asked(router).facts("small", "whole")
    assert (told["small"].resident, told["small"].context_window, told["small"].parameters_billion) == (
        True,
        4096,
        0.630167424,
    )
    assert told["small"].tools is True
    assert (told["whole"].resident, told["whole"].tools) == (False, None)
    assert router.loads == []


def test_what_is_loaded_is_asked_again_after_a_while_and_abilities_later() -> None:
    router = Router()
    router.states["small"] = "loaded"
    asked = Asked(router)
    asked.facts("small")
    first = len(asked.network.asked)
    asked.facts("small", "whole")
    assert len(asked.network.asked) == first
    router.load_model("whole")
    asked.now += LIST_KEPT
    assert asked.facts("small")["small"].resident is False
    router.load_model("small")
    asked.now += LIST_KEPT
    before = len(asked.network.asked)
    assert asked.facts("small")["small"].tools is True
    # The list alone: what the model can do stays known for longer.
    assert [address.rpartition("/")[2] for address in asked.network.asked[before:]] == ["models"]
    asked.now += ABILITIES_KEPT
    asked.facts("small")
    assert any("props?model=small" in address for address in asked.network.asked[before + 1 :])


def test_a_model_that_is_unloaded_keeps_its_size_and_what_its_list_does_not_tell() -> None:
    router = Router()
    router.load_model("whole")
    asked = Asked(router)
    loaded = asked.facts("whole")["whole"]
    router.load_model("small")
    asked.now += LIST_KEPT
    told = asked.facts("whole")["whole"]
    assert loaded.resident is True
    assert told == replace(loaded, resident=False)
    assert (told.parameters_billion, told.context_window, told.tools) == (1.777088, 32_768, True)


def test_an_alias_tells_as_much_as_the_models_id(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router()
    router.states["small"] = "loaded"
    entry = router._entry("small") | {"aliases": ["quick"]}
    monkeypatch.setattr(router, "_entry", lambda name: entry)
    told = Asked(router).facts("quick", "small")
    assert told["quick"] == told["small"]
    assert told["quick"].tools is True


def test_a_single_model_answers_to_every_name() -> None:
    single = Single()
    single.sleeping = True
    told = Asked(single).facts("whatever-it-is-called")["whatever-it-is-called"]
    assert (told.context_window, told.resident, told.parameters_billion) == (2048, False, 0.630167424)


@pytest.mark.parametrize("with_v1", [True, False])
def test_lm_studio_is_found_by_its_own_lists(with_v1: bool) -> None:
    studio = LMStudio(with_v1=with_v1)
    asked = Asked(studio)
    names = [entry["id"] for entry in studio._entries.values()]
    told = asked.facts(*names)
    sees = [name for name in names if told[name].vision]
    assert len(sees) == 1
    assert told[sees[0]].resident is False
    assert [name for name in names if told[name].chat is False] == [
        name for name in names if studio._entries[name]["type"] == "embeddings"
    ]
    studio.load_model(sees[0], 8192)
    asked.now += LIST_KEPT
    again = asked.facts(*names)[sees[0]]
    assert (again.resident, again.context_window) == (True, 8192)


def test_vllm_tells_its_window_and_has_what_it_lists_loaded() -> None:
    told = Asked(Vllm()).facts("assistant")["assistant"]
    assert told.resident is True
    assert told.context_window
    assert told.parameters_billion == 32.0
    assert (told.tools, told.vision) == (None, None)


def test_the_connections_prefix_is_not_the_servers() -> None:
    router = Router()
    told = Asked(router, prefix="home").facts("small")
    assert told["home.small"].parameters_billion == 0.5


@pytest.mark.parametrize("mark", [None, "external", "nonsense"])
def test_a_server_that_is_not_marked_local_is_asked_nothing(mark: str | None) -> None:
    asked = Asked(Router(), mark)
    assert asked.facts("small") == {}
    assert asked.network.asked == []


class Unknown(Record):
    """An OpenAI-compatible server that tells nothing but ids."""

    def __init__(self) -> None:
        super().__init__()
        self.app = recorded_app(self)
        self.app.add_api_route("/v1/models", self._list)

    async def _list(self) -> Any:
        return {"object": "list", "data": [{"id": "a-3b", "object": "model"}]}


def test_a_server_that_is_none_of_them_is_left_alone_for_long() -> None:
    asked = Asked(Unknown())
    assert asked.facts("a-3b") == {}
    count = len(asked.network.asked)
    asked.now += LIST_KEPT
    asked.facts("a-3b")
    assert len(asked.network.asked) == count


@pytest.mark.parametrize(
    "broken",
    [
        ServerAnswer(500),
        ServerAnswer(503, {"error": "loading"}),
        ServerAnswer(401, {"error": "key"}),
        RuntimeError("x"),
        TimeoutError(),
    ],
)
def test_a_server_that_fails_changes_nothing_but_what_is_loaded(broken: ServerAnswer | Exception) -> None:
    router = Router()
    router.states["small"] = "loaded"
    asked = Asked(router)
    asked.facts("small")
    asked.network.broken = broken
    asked.now += LIST_KEPT
    told = asked.facts("small")["small"]
    assert (told.resident, told.context_window) == (None, 4096)
    count = len(asked.network.asked)
    asked.now += FAILURE_KEPT - 1
    asked.facts("small")
    assert len(asked.network.asked) == count


@pytest.mark.parametrize("body", [None, "x", [], {}, {"data": 7}, {"data": [None, 1]}, {"models": [{"key": 1}]}])
def test_an_answer_of_another_form_tells_nothing(body: Any) -> None:
    asked = Asked(Router())
    asked.network.broken = ServerAnswer(200, body)
    assert asked.facts("small") == {}


class Household(FakeHost):
    """An Open WebUI that has a router as its second connection, marked Local, besides what the fake one has."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self.network = Network(router.app)
        for name in router.states:
            self.known[name] = openai_entry(name, urlIdx=1)

    async def connections(self) -> Connections:
        return replace(CONNECTIONS, openai=(*CONNECTIONS.openai, Connection(URL, "local")))

    async def ask_server(
        self, request: Any, user: Any, index: int, connection: Connection, address: str
    ) -> ServerAnswer | None:
        assert (index, connection) == (1, Connection(URL, "local"))
        return await self.network.ask_server(request, user, index, connection, address)


def test_the_catalogue_holds_what_ollama_and_the_other_engines_tell() -> None:
    router = Router()
    router.states["small"] = "loaded"
    host = Household(router)
    models = {model.id: model for model in asyncio.run(Discovery(host).catalogue(None, None, SETTINGS)).models}
    assert (models["small"].tier, models["small"].location) == (Tier.SMALL, Location.LOCAL)
    assert (models["small"].resident, models["small"].context_window) == (True, 4096)
    assert models["whole"].resident is False
    assert models[CLOUD].location is Location.CLOUD
    assert sorted(host.shown) == sorted([SMALL, LARGE])


def test_a_catalogue_is_made_without_a_server_that_fails() -> None:
    host = Household(Router())
    host.network.broken = RuntimeError("the server is on fire")
    models = {model.id: model for model in asyncio.run(Discovery(host).catalogue(None, None, SETTINGS)).models}
    # Nothing tells their size: neither the list of Open WebUI nor their names.
    assert (models["small"].tier, models["small"].is_local) == (Tier.MEDIUM, True)


def test_two_chats_at_a_time_ask_once() -> None:
    asked = Asked(Router())

    async def both() -> None:
        entries = [{"id": "small", "owned_by": "openai", "urlIdx": 0}]
        await asyncio.gather(
            *(asked._engines.facts(None, None, entries, asked.connections, SETTINGS) for _ in range(2))
        )

    asyncio.run(both())
    assert len(asked.network.asked) == 1


def test_a_server_that_hangs_holds_a_chat_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(Router())

    async def hang(*_: Any) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(asked.network, "ask_server", hang)
    monkeypatch.setitem(asked._engines._refresh.__func__.__globals__, "ASK_WITHIN", 0.05)  # type: ignore[attr-defined]
    started = time.monotonic()
    assert asked.facts("small") == {}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("state", ["unloaded", "loading", "loaded", "sleeping"])
def test_the_double_of_a_router_lists_what_was_recorded(state: str) -> None:
    """Whatever state the double is put into, it answers as the server did in that state, but for ports and times."""
    router = Router()
    router.states["small"] = state

    def told(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for entry in entries:
            entry["created"] = 0
            place = entry["status"]["args"].index("--port") + 1
            entry["status"]["args"][place] = "0"
        return entries

    answer = asyncio.run(router._list())
    assert told(answer["data"]) == told(load(f"llama_cpp_router_{state}")["data"])


def test_the_double_loads_a_model_that_is_asked_for_its_props_as_the_router_does() -> None:
    router = Router()
    router.states["small"] = "loaded"
    asyncio.run(router._props("whole"))
    assert router.states == {"small": "unloaded", "whole": "loaded"}


def test_a_real_socket_is_asked_with_the_key_and_refuses_without() -> None:
    router = Router(api_key="secret")
    served = Served(router.app, free_port())
    served.start()
    try:
        address = f"{served.url}/v1/models"
        with_key = asyncio.run(get_json(address, {"Authorization": "Bearer secret"}, {}, None, 2.0))
        without = asyncio.run(get_json(address, {}, {}, None, 2.0))
    finally:
        served.stop()
    assert with_key is not None
    assert with_key.body["data"]
    assert without is not None
    assert not without.settled
    assert asyncio.run(get_json(address, {}, {}, None, 0.5)) is None
