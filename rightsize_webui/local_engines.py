"""Ask the servers of local connections about their models: llama.cpp's server, LM Studio, vLLM.

Open WebUI's list of models holds what they told when it was last refreshed, which can be long ago, and nothing that
their OpenAI-compatible lists leave out.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote

from rightsize.catalogue import Backend, backend_of, is_base_model
from rightsize.engines.facts import Facts, mapping
from rightsize.engines.llama_cpp import has_props, is_router_entry, llama_cpp_abilities, llama_cpp_props
from rightsize.engines.lm_studio import read_lm_studio_v0, read_lm_studio_v1
from rightsize.engines.recognition import (
    Engine,
    answers_for_every_name,
    engine_of,
    facts_of_list,
    listed_entries,
    names_of,
    server_root,
)
from rightsize.locality import Connection, Connections, Location, locate, server_model_id
from rightsize.settings import RoutingSettings
from rightsize_webui.server_answer import ServerAnswer

logger = logging.getLogger("rightsize")

# Seconds for which it is known which models are loaded, and everything else that a list of models tells.
LIST_KEPT = 30.0
# Seconds until a server that did not answer is asked again.
FAILURE_KEPT = 30.0
# Seconds for which a model's abilities are known, and that a server is none of those that tell more.
ABILITIES_KEPT = 600.0
# Seconds for all the questions to one server: they are asked while a chat waits for its model.
ASK_WITHIN = 2.0

# LM Studio's own lists, the newer first, and how each is read.
_LM_STUDIO_LISTS = (("/api/v1/models", read_lm_studio_v1), ("/api/v0/models", read_lm_studio_v0))


class AsksServers(Protocol):
    """Whatever can put a question to the server of a connection."""

    async def ask_server(
        self, request: Any, user: Any, index: int, connection: Connection, address: str
    ) -> ServerAnswer | None:
        """The server's answer to GET an address, or None if there is none."""


# Asks one server: given an address, its answer.
Ask = Callable[[str], Awaitable[ServerAnswer]]


class _NoAnswer(Exception):
    """A server did not answer a question that it could answer another time."""


@dataclass
class _Server:
    """What is known of the server of one connection, and until when; times are the clock's, in seconds.

    `when_it_ran` is what was known of each model of a router when it was last loaded.
    """

    connection: Connection
    facts: dict[str, Facts] = field(default_factory=dict)
    for_every_name: Facts | None = None
    engine: Engine | None = None
    lm_studio_list: int = 0
    ask_again_at: float = 0.0
    abilities: dict[str, tuple[float, Facts]] = field(default_factory=dict)
    when_it_ran: dict[str, Facts] = field(default_factory=dict)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def facts_of_model(self, name: str) -> Facts | None:
        """What the server has told of the model that it knows by this name; None if it is none of the engines."""
        if self.engine is None:
            return None
        return self.facts.get(name, self.for_every_name or Facts(resident=False))

    def forget_what_is_loaded(self) -> None:
        """Keep what was told but for that: a server that no longer answers may have been started anew."""
        self.facts = {name: replace(told, resident=None) for name, told in self.facts.items()}
        if self.for_every_name is not None:
            self.for_every_name = replace(self.for_every_name, resident=None)


class LocalEngines:
    """Remembers what the servers of local connections tell, and asks them anew when that has become old."""

    def __init__(self, host: AsksServers, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._servers: dict[int, _Server] = {}

    async def facts(
        self,
        request: Any,
        user: Any,
        entries: Sequence[Mapping[str, Any]],
        connections: Connections,
        settings: RoutingSettings,
    ) -> dict[str, Facts]:
        """What the servers tell, by the id of the entry of Open WebUI's list. Cloud servers are asked nothing."""
        local = [
            entry
            for entry in entries
            if is_base_model(entry)
            and backend_of(entry) is Backend.OPENAI
            and locate(entry, connections, settings) is Location.LOCAL
        ]
        indices = sorted({int(entry["urlIdx"]) for entry in local})
        servers = dict(
            zip(
                indices,
                await asyncio.gather(*(self._server(request, user, i, connections.openai[i]) for i in indices)),
                strict=True,
            )
        )
        found: dict[str, Facts] = {}
        for entry in local:
            told = servers[int(entry["urlIdx"])].facts_of_model(server_model_id(entry, connections))
            if told is not None:
                found[str(entry.get("id", ""))] = told
        return found

    async def _server(self, request: Any, user: Any, index: int, connection: Connection) -> _Server:
        server = self._servers.get(index)
        if server is None or server.connection != connection:
            server = self._servers[index] = _Server(connection)
        async with server.busy:
            if self._clock() >= server.ask_again_at:
                await self._refresh(request, user, index, server)
        return server

    async def _refresh(self, request: Any, user: Any, index: int, server: _Server) -> None:
        async def ask(address: str) -> ServerAnswer:
            answer = await self._host.ask_server(request, user, index, server.connection, address)
            if answer is None or not answer.settled:
                raise _NoAnswer
            return answer

        try:
            async with asyncio.timeout(ASK_WITHIN):
                kept = await self._ask_all(ask, server)
        except Exception as error:
            if not isinstance(error, _NoAnswer):
                logger.warning("A local server could not be asked about its models: %s", type(error).__name__)
            server.forget_what_is_loaded()
            kept = FAILURE_KEPT
        server.ask_again_at = self._clock() + kept

    async def _ask_all(self, ask: Ask, server: _Server) -> float:
        """Ask a server all there is to ask. Returns for how many seconds the answers hold.

        Raises _NoAnswer if it does not answer.
        """
        if server.engine is Engine.LM_STUDIO and await self._ask_lm_studio(ask, server, server.lm_studio_list):
            return LIST_KEPT
        entries = listed_entries((await ask(f"{server.connection.url.rstrip('/')}/models")).body)
        server.engine = next((engine for entry in entries if (engine := engine_of(entry))), None)
        server.facts, server.for_every_name = facts_of_list(entries), None
        if server.engine is Engine.LLAMA_CPP:
            await self._ask_props(ask, server, entries)
        if server.engine is not None:
            return LIST_KEPT
        for number in range(len(_LM_STUDIO_LISTS)):
            if await self._ask_lm_studio(ask, server, number):
                return LIST_KEPT
        return ABILITIES_KEPT if entries else LIST_KEPT

    async def _ask_lm_studio(self, ask: Ask, server: _Server, number: int) -> bool:
        """Ask for one of LM Studio's own lists; whether there was one."""
        path, read = _LM_STUDIO_LISTS[number]
        facts = read((await ask(f"{server_root(server.connection.url)}{path}")).body)
        if facts is not None:
            server.engine, server.lm_studio_list, server.facts = Engine.LM_STUDIO, number, facts
        return facts is not None

    async def _ask_props(self, ask: Ask, server: _Server, entries: Sequence[Mapping[str, Any]]) -> None:
        """Ask llama.cpp's server what its list does not tell: whether a model takes tools, and surely what it sees."""

        async def props(query: str = "") -> Mapping[str, Any]:
            try:
                return mapping((await ask(f"{server_root(server.connection.url)}/props{query}")).body)
            except _NoAnswer:
                return {}

        if answers_for_every_name(entries):
            told = llama_cpp_props(await props())
            server.facts = {name: told.or_else(listed) for name, listed in server.facts.items()}
            server.for_every_name = next(iter(server.facts.values()))
            return
        now = self._clock()
        running = {str(entry.get("id", "")) for entry in entries if is_router_entry(entry) and has_props(entry)}
        stale = sorted(name for name in running if server.abilities.get(name, (now, None))[0] <= now)
        # Without `autoload=false` the router would load the model that it is asked about, and unload another for it.
        answers = await asyncio.gather(*(props(f"?model={quote(name, safe='')}&autoload=false") for name in stale))
        for name, answer in zip(stale, answers, strict=True):
            kept = ABILITIES_KEPT if answer else FAILURE_KEPT
            server.abilities[name] = (now + kept, llama_cpp_abilities(answer))
        for entry in entries:
            name = str(entry.get("id", ""))
            told = server.abilities.get(name, (now, Facts()))[1].or_else(server.facts[name])
            if name in running:
                server.when_it_ran[name] = told
            elif name in server.when_it_ran:
                # A model's size stays what it was; the name of its file, read while it is not loaded, is a guess.
                earlier = replace(server.when_it_ran[name], resident=None)
                told = Facts(parameters_billion=earlier.parameters_billion).or_else(told).or_else(earlier)
            server.facts.update(dict.fromkeys(names_of(entry), told))
