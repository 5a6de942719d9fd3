"""Open WebUI's connections: those that `up` makes are put in and taken out, and nobody else's is touched."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from installer.client import OpenWebUIClient

# What Open WebUI comes with: an Ollama that may or may not be there, and OpenAI without a key.
DEFAULT_OLLAMA = "http://localhost:11434"
DEFAULT_OPENAI = "https://api.openai.com/v1"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")


@dataclass(frozen=True)
class Connection:
    """One connection, with the settings that an administrator may have given it."""

    url: str
    key: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    def is_at(self, urls: Iterable[str]) -> bool:
        """Whether its server is one of these, however loopback is written."""
        return _place(self.url) in {_place(url) for url in urls}


@dataclass(frozen=True)
class Wanted:
    """What `up` wants to be connected: at most one Ollama, and OpenAI-compatible servers."""

    ollama: str | None = None
    openai: tuple[Connection, ...] = ()


def _place(url: str) -> tuple[str, str, int | None, str]:
    try:
        parsed = httpx.URL(url.strip().rstrip("/"))
    except httpx.InvalidURL:
        return ("", url, None, "")
    host = "loopback" if parsed.host in LOOPBACK else parsed.host
    return (parsed.scheme, host, parsed.port, parsed.path.rstrip("/"))


def read_connections(urls: list[str], keys: list[str], configs: Mapping[str, Any]) -> list[Connection]:
    """Bring together what Open WebUI keeps by index: each URL with its key, and with its config (formerly by URL)."""
    padded = [*keys, *[""] * len(urls)]
    return [
        Connection(url, padded[index], configs.get(str(index)) or configs.get(url) or {})
        for index, url in enumerate(urls)
    ]


def configs_by_index(connections: Iterable[Connection]) -> dict[str, Any]:
    """The configs of connections, by index, as Open WebUI keeps them."""
    return {str(index): dict(connection.config) for index, connection in enumerate(connections) if connection.config}


def merge(present: list[Connection], wanted: Collection[Connection], own_urls: Collection[str]) -> list[Connection]:
    """The connections there should be: everybody else's as they are and where they are, and the wanted ones.

    A wanted connection that is there keeps its place and what was changed in its config; its key is brought up to date.
    """
    merged, missing = [], list(wanted)
    for connection in present:
        same = next((other for other in wanted if connection.is_at([other.url])), None)
        if same in missing:
            missing.remove(same)
            config = {**same.config, **connection.config}
            merged.append(replace(connection, key=same.key or connection.key, config=config))
        elif connection.config if same else not connection.is_at(own_urls):
            merged.append(connection)
    return [*merged, *missing]


def _switched_off(connections: list[Connection], was_enabled: object, own: Collection[str]) -> list[Connection]:
    """Connections as they are, or switched off one by one where all of them were, before the API is switched on."""
    if was_enabled is not False:
        return connections
    return [
        connection if connection.is_at(own) else replace(connection, config={**connection.config, "enable": False})
        for connection in connections
    ]


def connect_ollama(client: OpenWebUIClient, wanted: str | None, own_urls: Collection[str]) -> None:
    """Connect an Ollama, or none, and take out those that `up` connected before and Open WebUI's untouched default."""
    form = client.call("GET", "/ollama/config")
    present = read_connections(form.get("OLLAMA_BASE_URLS") or [], [], form.get("OLLAMA_API_CONFIGS") or {})
    # A connection that somebody has given settings is theirs, wherever it leads.
    unclaimed = [*own_urls, DEFAULT_OLLAMA]
    present = [
        connection
        for connection in present
        if connection.config or not connection.is_at(unclaimed) or (wanted and connection.is_at([wanted]))
    ]
    connections = merge(present, [Connection(wanted)] if wanted else [], [])
    enabled = form.get("ENABLE_OLLAMA_API")
    if wanted:
        connections, enabled = _switched_off(connections, enabled, [wanted]), True
    changed = {
        **form,
        "ENABLE_OLLAMA_API": enabled,
        "OLLAMA_BASE_URLS": [connection.url for connection in connections],
        "OLLAMA_API_CONFIGS": configs_by_index(connections),
    }
    if changed != form:
        client.call("POST", "/ollama/config/update", json=changed)


def connect_openai(client: OpenWebUIClient, wanted: tuple[Connection, ...], own_urls: Collection[str]) -> None:
    """Connect OpenAI-compatible servers, and take out those that `up` connected before and the keyless default."""
    form = client.call("GET", "/openai/config")
    present = read_connections(
        form.get("OPENAI_API_BASE_URLS") or [], form.get("OPENAI_API_KEYS") or [], form.get("OPENAI_API_CONFIGS") or {}
    )
    empty = Connection(DEFAULT_OPENAI)
    connections = merge([connection for connection in present if connection != empty], wanted, own_urls)
    enabled = form.get("ENABLE_OPENAI_API")
    if wanted:
        connections, enabled = _switched_off(connections, enabled, [other.url for other in wanted]), True
    changed = {
        **form,
        "ENABLE_OPENAI_API": bool(connections) and enabled is not False,
        "OPENAI_API_BASE_URLS": [connection.url for connection in connections],
        "OPENAI_API_KEYS": [connection.key for connection in connections],
        "OPENAI_API_CONFIGS": configs_by_index(connections),
    }
    if changed != form:
        client.call("POST", "/openai/config/update", json=changed)


def connect_backends(client: OpenWebUIClient, wanted: Wanted, own_urls: Collection[str]) -> None:
    """Connect what is wanted and nothing else of what `up` makes connections to (`own_urls`)."""
    connect_ollama(client, wanted.ollama, own_urls)
    connect_openai(client, wanted.openai, own_urls)
