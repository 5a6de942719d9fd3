"""Local or cloud: a safety property. Whatever is not known to be local is cloud."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from rightsize.settings import RoutingSettings, split_list


class Location(StrEnum):
    """Where a model runs."""

    LOCAL = "local"
    CLOUD = "cloud"


@dataclass(frozen=True)
class Connection:
    """One connection of Open WebUI; `mark` is its connection_type where an administrator saved one.

    Open WebUI puts `prefix` and a dot before the ids of the connection's models.
    """

    url: str
    mark: str | None = None
    prefix: str | None = None


@dataclass(frozen=True)
class Connections:
    """The connections by backend, each at the index that Open WebUI's model list refers to it by."""

    ollama: tuple[Connection, ...] = ()
    openai: tuple[Connection, ...] = ()


# Names that never leave the machine or its network: RFC 6761 (localhost), RFC 6762 (local),
# RFC 8375 (home.arpa), ICANN's reserved "internal", and the "lan" that home routers hand out.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".home.arpa", ".internal", ".lan")


def host_of(url: str) -> str:
    """The host of a URL in lower case, or an empty string if it has none."""
    try:
        return (urlsplit(url if "://" in url else f"//{url}").hostname or "").lower()
    except ValueError:
        return ""


def is_private_host(host: str) -> bool:
    """Whether a host can only be this machine or its own network: loopback, private or single-label."""
    if not host:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)
    return address.is_loopback or (address.is_private and not address.is_unspecified)


def _runs_in_ollama_cloud(tags: Mapping[str, Any], model_id: str) -> bool:
    # Ollama names its cloud models `name:cloud` or `name:size-cloud` and gives them a remote_host in /api/tags.
    tag = model_id.rpartition(":")[2].lower()
    return bool(tags.get("remote_host") or tags.get("remote_model")) or tag == "cloud" or tag.endswith("-cloud")


def _connection(connections: tuple[Connection, ...], index: Any) -> Connection | None:
    if isinstance(index, int) and 0 <= index < len(connections):
        return connections[index]
    return None


def server_model_id(entry: Mapping[str, Any], connections: Connections) -> str:
    """The id by which an OpenAI-compatible server knows the model of an entry: without the connection's prefix."""
    model_id = str(entry.get("id", ""))
    connection = _connection(connections.openai, entry.get("urlIdx"))
    return model_id.removeprefix(f"{connection.prefix}.") if connection and connection.prefix else model_id


def locate(entry: Mapping[str, Any], connections: Connections, settings: RoutingSettings) -> Location:
    """Say where the model of one entry of Open WebUI's model list runs.

    - An Ollama model is local when it has no remote_host and every connection that serves it is on a
      private host that is not marked external, or on a host that the administrator vouches for.
    - An OpenAI-compatible model is local only by an administrator's word: its connection is marked local,
      or its host is in `local_hosts`. A loopback address is not enough, since gateways on it forward to clouds.
    - Everything else, functions and direct connections included, is cloud.
    """
    if entry.get("pipe") or entry.get("direct"):
        return Location.CLOUD
    vouched_for = {host.lower() for host in split_list(settings.local_hosts)}
    if entry.get("owned_by") == "ollama":
        tags = entry.get("ollama")
        if not isinstance(tags, Mapping) or _runs_in_ollama_cloud(tags, str(entry.get("id", ""))):
            return Location.CLOUD
        indices = tags.get("urls")
        if not isinstance(indices, list) or not indices:
            return Location.CLOUD
        for index in indices:
            connection = _connection(connections.ollama, index)
            if connection is None:
                return Location.CLOUD
            host = host_of(connection.url)
            if host in vouched_for:
                continue
            if connection.mark == "external" or not is_private_host(host):
                return Location.CLOUD
        return Location.LOCAL
    if entry.get("owned_by") == "openai":
        connection = _connection(connections.openai, entry.get("urlIdx"))
        if connection is not None and (connection.mark == "local" or host_of(connection.url) in vouched_for):
            return Location.LOCAL
    return Location.CLOUD
