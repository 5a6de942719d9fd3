"""
title: Rightsize Privacy Guard
author: Rightsize
version: 0.1.0
license: MIT
required_open_webui_version: 0.12.0
description: Keeps personal data on local models, whatever model was selected; it fails closed.
"""
# Made by scripts/bundle.py from filters/privacy_guard.py: change that file, not this one.

import aiohttp
import asyncio
import functools
import importlib
import importlib.util
import ipaddress
import json
import logging
import math
import re
import time
import traceback
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from hashlib import blake2b
from importlib import import_module
from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from types import SimpleNamespace
from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit

# ---- rightsize/engines/facts.py ------------------------------------------------------------------
# What a model's server tells of it, and how values that may be anything are read.

@dataclass(frozen=True)
class Facts:
    """What is told of one model; None means that nothing tells.

    `parameters_billion` is in 10^9 parameters, of all experts where there are several; `context_window` in tokens,
    for one request; `resident` says that the model is in memory, so that it answers without loading first.
    """

    parameters_billion: float | None = None
    quantization: str | None = None
    context_window: int | None = None
    vision: bool | None = None
    tools: bool | None = None
    chat: bool | None = None
    resident: bool | None = None

    def or_else(self, other: "Facts") -> Self:
        """These facts, and the other's where these tell nothing."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(**{name: getattr(other, name) if value is None else value for name, value in told.items()})


# More tokens than any model reads, and more parameters than any has: a larger number is a mistake.
_MOST_TOKENS = 10**9
_MOST_PARAMETERS = 10**14


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def flag(value: Any) -> bool | None:
    """The value if it is true or false, else None."""
    return value if isinstance(value, bool) else None


def words(value: Any) -> list[str]:
    """The strings of a list, or nothing if the value is no list."""
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def label(value: Any) -> str | None:
    """A short text such as the name of a quantization, else None."""
    return value.strip()[:40] or None if isinstance(value, str) else None


def _positive(value: Any, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None


def token_count(value: Any) -> int | None:
    """A number of tokens that a model can read, else None."""
    return _positive(value, _MOST_TOKENS)


def billions(value: Any) -> float | None:
    """A number of parameters as billions, else None."""
    parameters = _positive(value, _MOST_PARAMETERS)
    return None if parameters is None else parameters / 1e9


def parse_parameter_size(text: str) -> float | None:
    """Read a size as Ollama and LM Studio write it ("3.2B", "137M", "8x7B") as billions; None if it is not one."""
    match = re.fullmatch(
        r"\s*(?:(\d{1,4})\s*x\s*)?(\d{1,9}(?:\.\d{1,9})?)\s*([KMBT])\s*", text, re.IGNORECASE | re.ASCII
    )
    if not match:
        return None
    scale = {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}[match[3].upper()]
    return int(match[1] or 1) * float(match[2]) * scale


def parameters_from_name(name: str) -> float | None:
    """Read a size such as `-32b` or `:3b` out of a model's name, as billions of parameters."""
    sizes = [
        size
        for match in re.finditer(r"(?:^|[-:_/ ])((?:\d+x)?\d+(?:\.\d+)?[bm])(?=$|[-:_/ .])", name, re.IGNORECASE)
        if (size := parse_parameter_size(match[1])) is not None
    ]
    return max(sizes, default=None)

# ---- rightsize/engines/ollama.py -----------------------------------------------------------------
# What Ollama tells of a model: in /api/tags, which Open WebUI lists under `ollama`, and in /api/show.

def _context_length(show: Mapping[str, Any]) -> int | None:
    """`model_info["<architecture>.context_length"]`, in tokens."""
    for key, value in mapping(show.get("model_info")).items():
        if str(key).endswith(".context_length") and token_count(value):
            return token_count(value)
    return None


def ollama_facts(entry: Mapping[str, Any], show: Mapping[str, Any]) -> Facts:
    """The facts of an entry of Open WebUI's list; `show` is empty where Ollama did not answer."""
    details = mapping(mapping(entry.get("ollama")).get("details"))
    told = isinstance(show.get("capabilities"), list)
    able = words(show.get("capabilities"))
    return Facts(
        parameters_billion=parse_parameter_size(str(details.get("parameter_size", ""))),
        quantization=label(details.get("quantization_level")),
        context_window=_context_length(show),
        vision="vision" in able if told else None,
        tools="tools" in able if told else None,
        chat="completion" in able if told else None,
        resident=flag(entry.get("loaded")),
    )

# ---- rightsize/engines/llama_cpp.py --------------------------------------------------------------
# What llama.cpp's server tells of a model: in GET /v1/models and GET /props.
#
# https://github.com/ggml-org/llama.cpp/tree/master/tools/server, whose answers of build b1-86a2835 are in tests/engines.
# As a router of several models it lists also those that are not loaded, with the arguments they would be started with.

_CONTEXT = ("--ctx-size", "-c")
_SLOTS = ("--parallel", "-np")
_SHARED = ("--kv-unified", "-kvu")
_NOT_SHARED = ("--no-kv-unified", "-no-kvu")
_PROJECTOR = ("--mmproj", "-mm", "--mmproj-url", "-mmu")
_NO_PROJECTOR = ("--no-mmproj", "--no-mmproj-auto")
# With one of these the server fetches the model itself, and its projector where there is one.
_FETCHED = ("--hf-repo", "-hf", "-hfr", "--docker-repo", "-dr")
_FILE = ("--model", "-m", "--hf-file", "-hff")
# The server is started for one of these and not for chats.
_OTHER_WORK = ("--embedding", "--embeddings", "--rerank", "--reranking")


def _split(arguments: Sequence[str]) -> list[str]:
    """Arguments with `--name=value` taken apart."""
    return [part for argument in arguments for part in argument.split("=", 1 if argument.startswith("-") else 0)]


def _values(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """What follows each of the names."""
    return [arguments[place + 1].strip() for place, name in enumerate(arguments[:-1]) if name in names]


def _number(arguments: Sequence[str], names: Sequence[str]) -> int | None:
    """The number that follows the last of the names; None if there is none, or it is no number."""
    text = next(reversed(_values(arguments, names)), "")
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None


def _size_of_file(arguments: Sequence[str]) -> float | None:
    """The parameters in the name of the file or the repository that the model is loaded from, in billions."""
    places = _values(arguments, (*_FILE, *_FETCHED))
    sizes = [parameters_from_name(re.split(r"[/\\]", place)[-1]) for place in places]
    return max((size for size in sizes if size is not None), default=None)


def _has(arguments: Sequence[str], names: Sequence[str]) -> bool:
    return any(argument in names for argument in arguments)


def window_from_arguments(given: Sequence[str], trained_on: int | None = None) -> int | None:
    """The context window of one request, in tokens, with which a model will be started; None if unknown.

    Several slots share the context out in equal parts, unless it is unified; as many slots as the server likes
    (no number of them, or a negative one) make it unified. A context of 0 is what the model was `trained_on`.
    """
    arguments = _split(given)
    context, slots = _number(arguments, _CONTEXT), _number(arguments, _SLOTS)
    if context is None or context < 0:
        return None
    context = context or trained_on
    shared = _has(arguments, _SHARED) and not _has(arguments, _NOT_SHARED)
    if context is not None and slots is not None and slots > 1 and not shared:
        context //= slots
    return token_count(context)


def _vision(entry: Mapping[str, Any], arguments: Sequence[str]) -> bool | None:
    modalities = mapping(entry.get("architecture")).get("input_modalities")
    if "image" in words(modalities):
        return True
    if "status" not in entry:
        return False if isinstance(modalities, list) else None
    # Measured: a router lists "text" alone for a model with a projector as long as it is not loaded.
    if _has(arguments, _NO_PROJECTOR):
        return False
    if _has(arguments, _PROJECTOR):
        return True
    return False if _has(arguments, _FILE) and not _has(arguments, _FETCHED) else None


def llama_cpp_facts(entry: Mapping[str, Any]) -> Facts:
    """The facts of an entry of GET /v1/models.

    `meta.n_ctx` is the window of one slot (measured). A server of one model lists no status: it has it loaded.
    """
    meta = mapping(entry.get("meta"))
    status = mapping(entry.get("status"))
    arguments = _split(words(status.get("args")))
    state = status.get("value")
    resident = state == "loaded" if isinstance(state, str) else None
    return Facts(
        parameters_billion=billions(meta.get("n_params")) or _size_of_file(arguments),
        quantization=label(meta.get("ftype")),
        context_window=token_count(meta.get("n_ctx"))
        or window_from_arguments(arguments, token_count(meta.get("n_ctx_train"))),
        vision=_vision(entry, arguments),
        chat=False if _has(arguments, _OTHER_WORK) else None,
        resident=resident if "status" in entry else True,
    )


def is_router_entry(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of GET /v1/models is one of a router's."""
    return "status" in entry


def has_props(entry: Mapping[str, Any]) -> bool:
    """Whether GET /props can tell of a model: a router passes the question on to a model that runs."""
    return not is_router_entry(entry) or mapping(entry.get("status")).get("value") in ("loaded", "sleeping")


def llama_cpp_abilities(props: Mapping[str, Any]) -> Facts:
    """The facts of GET /props that stay the same for as long as the model is the same."""
    caps = mapping(props.get("chat_template_caps"))
    takes, calls = flag(caps.get("supports_tools")), flag(caps.get("supports_tool_calls"))
    return Facts(
        quantization=label(props.get("model_ftype")),
        vision=flag(mapping(props.get("modalities")).get("vision")),
        tools=None if takes is None or calls is None else takes and calls,
    )


def llama_cpp_props(props: Mapping[str, Any]) -> Facts:
    """The facts of GET /props of a server of one model, which says there that it sleeps."""
    sleeping = flag(props.get("is_sleeping"))
    return replace(
        llama_cpp_abilities(props),
        context_window=token_count(mapping(props.get("default_generation_settings")).get("n_ctx")),
        resident=None if sleeping is None else not sleeping,
    )

# ---- rightsize/engines/vllm.py -------------------------------------------------------------------
# What vLLM tells of a model: in GET /v1/models, and nothing about what it sees or whether it takes tools.
#
# `ModelCard` in vllm/entrypoints/openai/engine/protocol.py of https://github.com/vllm-project/vllm.

def vllm_facts(entry: Mapping[str, Any]) -> Facts:
    """The facts of an entry of GET /v1/models.

    What is listed is loaded. The weights may be served under any name: `root` is where they come from, and for an
    adapter `parent` is the model that it adapts.
    """
    names = [name for field in ("id", "parent", "root") if isinstance(name := entry.get(field), str)]
    sizes = [size for name in names if (size := parameters_from_name(name)) is not None]
    return Facts(
        parameters_billion=sizes[0] if sizes else None,
        context_window=token_count(entry.get("max_model_len")),
        resident=True,
    )

# ---- rightsize/engines/recognition.py ------------------------------------------------------------
# Which local engine serves a model, told by the shape of its answers, and what it tells of the model.

class Engine(StrEnum):
    """A server of models with an OpenAI-compatible API that tells more of them than their names."""

    LLAMA_CPP = "llama.cpp"
    LM_STUDIO = "LM Studio"
    VLLM = "vLLM"


# How the URLs end that Open WebUI is given for such servers.
_ENDS_OF_BASE = ("/api/v1", "/api/v0", "/v1")


def server_root(base_url: str) -> str:
    """The address under which a server has its other endpoints: a connection's URL without `/v1`."""
    base = base_url.rstrip("/")
    for end in _ENDS_OF_BASE:
        if base.endswith(end):
            return base.removesuffix(end)
    return base


def engine_of(entry: Mapping[str, Any]) -> Engine | None:
    """The engine that an entry of GET /v1/models comes from, or None if its fields do not tell."""
    owner = entry.get("owned_by")
    if owner == "llamacpp" or "n_vocab" in mapping(entry.get("meta")):
        return Engine.LLAMA_CPP
    if owner == "vllm" or "max_model_len" in entry:
        return Engine.VLLM
    return None


def facts_of(entry: Mapping[str, Any]) -> Facts:
    """What an entry of GET /v1/models tells."""
    engine = engine_of(entry)
    if engine is Engine.LLAMA_CPP:
        return llama_cpp_facts(entry)
    return vllm_facts(entry) if engine is Engine.VLLM else Facts()


def servers_own(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The server's entry in an entry of Open WebUI's list, which keeps it under `openai`."""
    own = entry.get("openai")
    return own if isinstance(own, Mapping) else {}


def listed_entries(body: Any) -> list[Mapping[str, Any]]:
    """The entries of an answer to GET /v1/models; none if it is not one."""
    listed = body if isinstance(body, list) else mapping(body).get("data")
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []


def names_of(entry: Mapping[str, Any]) -> list[str]:
    """The names by which a server knows the model of an entry of GET /v1/models: its id, and its aliases."""
    return [str(entry.get("id", "")), *words(entry.get("aliases"))]


def facts_of_list(entries: Sequence[Mapping[str, Any]]) -> dict[str, Facts]:
    """What GET /v1/models tells, by id and by alias; an adapter has the window of the model that it adapts."""
    facts: dict[str, Facts] = {}
    for entry in entries:
        facts.update(dict.fromkeys(names_of(entry), facts_of(entry)))
    for entry in entries:
        name, parent = str(entry.get("id", "")), entry.get("parent")
        if isinstance(parent, str) and parent in facts:
            facts[name] = facts[name].or_else(facts[parent])
    return facts


def answers_for_every_name(entries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a server answers with its one model whatever name it is asked for: llama.cpp, but as a router."""
    return len(entries) == 1 and engine_of(entries[0]) is Engine.LLAMA_CPP and not is_router_entry(entries[0])

# ---- rightsize/settings.py -----------------------------------------------------------------------
# What an administrator may set. The valves in the admin panel are these models.

TIER_NAMES = ("small", "medium", "large", "frontier")


def split_list(text: str) -> tuple[str, ...]:
    """Split a comma-separated valve into its trimmed, non-empty items."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def parse_tier_overrides(text: str) -> dict[str, str]:
    """Parse `model=tier, model=tier` into a mapping; model ids may themselves hold colons and slashes.

    Raises ValueError, naming the first item that is not `model=tier` with a known tier.
    """
    overrides: dict[str, str] = {}
    for item in split_list(text):
        model, separator, tier = item.rpartition("=")
        if not separator or not model.strip() or tier.strip().lower() not in TIER_NAMES:
            raise ValueError(f"'{item}' is not model=tier with a tier of {', '.join(TIER_NAMES)}")
        overrides[model.strip()] = tier.strip().lower()
    return overrides


class RoutingSettings(BaseModel):
    """How models are sorted into tiers and which may be chosen: the valves of the Rightsize pipe."""

    small_up_to_billion: float = Field(
        default=5.0, gt=0, description="Local models with up to this many billion parameters are the small tier."
    )
    medium_up_to_billion: float = Field(
        default=20.0,
        gt=0,
        validate_default=True,
        description="Up to this many billion parameters is medium; above it is large.",
    )
    tier_overrides: str = Field(
        default="",
        description="Move models to another tier: model=tier, model=tier (small, medium, large or frontier).",
    )
    excluded_models: str = Field(default="", description="Model ids never to be chosen, separated by commas.")
    frontier_model: str = Field(
        default="", description="Id of the cloud model used for the frontier tier; empty lets Rightsize pick."
    )
    auto_may_use_cloud: bool = Field(
        default=True, description="Let Auto send the very hardest requests to the frontier model in the cloud."
    )
    local_hosts: str = Field(
        default="",
        description=(
            "Hosts of connections that you vouch are on your own hardware, separated by commas "
            "(for example 127.0.0.1, gpu-box.lan). Models of every other OpenAI-compatible host count as cloud, "
            "unless their connection is marked Local."
        ),
    )

    @field_validator("tier_overrides")
    @classmethod
    def _overrides_can_be_parsed(cls, value: str) -> str:
        parse_tier_overrides(value)
        return value

    @field_validator("medium_up_to_billion")
    @classmethod
    def _tiers_are_in_order(cls, value: float, info: object) -> float:
        small = getattr(info, "data", {}).get("small_up_to_billion", 0.0)
        if value <= small:
            raise ValueError(f"it must be above small_up_to_billion, which is {small:g}")
        return value


class PrivacySettings(BaseModel):
    """What counts as personal data: the valves of the privacy guard, which the pipe honours too."""

    phone_regions: str = Field(
        default="US,CA,GB,IE,AU,DE,AT,CH,FR,BE,NL,ES,IT,PT,DK,SE,NO,FI,PL,IN,BR,MX",
        description="Countries (two-letter codes) whose phone numbers are known without their +country prefix.",
    )
    attachments_stay_local: bool = Field(
        default=True,
        description="Keep images and other attachments, which cannot be read for personal data, on local models.",
    )

    @field_validator("phone_regions")
    @classmethod
    def _regions_are_country_codes(cls, value: str) -> str:
        for region in split_list(value):
            if len(region) != 2 or not region.isalpha():
                raise ValueError(f"'{region}' is not a two-letter country code")
        return value

# ---- rightsize/locality.py -----------------------------------------------------------------------
# Local or cloud: a safety property. Whatever is not known to be local is cloud.

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

# ---- rightsize/catalogue.py ----------------------------------------------------------------------
# The models there are: what each can do, its tier, and whether it is local or in the cloud.

class Tier(StrEnum):
    """How large a model is; the first three are local, the last is in the cloud."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    FRONTIER = "frontier"


class Backend(StrEnum):
    """What serves a model inside Open WebUI."""

    OLLAMA = "ollama"
    OPENAI = "openai"
    FUNCTION = "function"


LOCAL_TIERS = (Tier.SMALL, Tier.MEDIUM, Tier.LARGE)


@dataclass(frozen=True)
class Capabilities:
    """What a model can do; None means that nothing says."""

    vision: bool | None = None
    tools: bool | None = None
    chat: bool = True


@dataclass(frozen=True)
class Model:
    """One model of the catalogue.

    `parameters_billion` is in 10^9 parameters and `context_window` in tokens; both are None where unknown.
    `resident` says that the backend has it loaded now.
    """

    id: str
    name: str
    backend: Backend
    location: Location
    tier: Tier
    parameters_billion: float | None = None
    quantization: str | None = None
    context_window: int | None = None
    capabilities: Capabilities = Capabilities()
    resident: bool = False
    created: int = 0

    @property
    def is_local(self) -> bool:
        """Whether the model runs on the user's own hardware."""
        return self.location is Location.LOCAL


@dataclass(frozen=True)
class Catalogue:
    """The models that one user may use."""

    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model | None:
        """Return the model with this id, or None."""
        return next((model for model in self.models if model.id == model_id), None)


# Families and names of models that embed, rank or transcribe and cannot chat. Where the server tells what a model is
# for, that decides; this is for where it does not (Ollama before 0.6.4, and most OpenAI-compatible servers).
_NOT_CHAT = re.compile(
    r"\b(embed\w*|bert|nomic-bert|bge|e5|gte|minilm|colbert|splade|rerank\w*|whisper|tts|dall-e|moderation|realtime|"
    r"transcribe|image|sora|audio)\b|embed",
    re.IGNORECASE,
)


def tier_for(model_id: str, location: Location, billions: float | None, settings: RoutingSettings) -> Tier:
    """Sort a model into a tier: the administrator's override, else cloud is frontier, else by size.

    A local model of unknown size is medium: neither trusted with the hardest nor kept for the easiest.
    """
    override = parse_tier_overrides(settings.tier_overrides).get(model_id)
    if override is not None:
        return Tier(override)
    if location is Location.CLOUD:
        return Tier.FRONTIER
    if billions is None:
        return Tier.MEDIUM
    if billions <= settings.small_up_to_billion:
        return Tier.SMALL
    return Tier.MEDIUM if billions <= settings.medium_up_to_billion else Tier.LARGE


def backend_of(entry: Mapping[str, Any]) -> Backend:
    """Which backend serves an entry of Open WebUI's model list."""
    if entry.get("pipe"):
        return Backend.FUNCTION
    return Backend.OLLAMA if entry.get("owned_by") == "ollama" else Backend.OPENAI


def is_base_model(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a model itself, not a preset or an arena made of others."""
    return not entry.get("preset") and not entry.get("arena") and entry.get("owned_by") != "arena"


def _capabilities(entry: Mapping[str, Any], facts: Facts) -> Capabilities:
    vision, chat = facts.vision, facts.chat
    if vision is None:
        # Open WebUI's own switch says what an administrator allows, so it can only be trusted to take vision away.
        allowed = mapping(mapping(mapping(entry.get("info")).get("meta")).get("capabilities"))
        vision = False if allowed.get("vision") is False else None
    if chat is None:
        families = words(mapping(mapping(entry.get("ollama")).get("details")).get("families"))
        chat = _NOT_CHAT.search(" ".join([str(entry.get("id", "")), *families])) is None
    return Capabilities(vision=vision, tools=facts.tools, chat=chat)


def build_model(
    entry: Mapping[str, Any],
    show: Mapping[str, Any],
    connections: Connections,
    settings: RoutingSettings,
    told: Facts | None = None,
) -> Model:
    """Turn one entry of Open WebUI's model list into a Model.

    `show` is Ollama's /api/show for it, empty where the backend is not Ollama or did not answer; `told` is what the
    model's server told when it was asked, which goes before what Open WebUI's list remembers of it.
    """
    model_id = str(entry.get("id", ""))
    backend = backend_of(entry)
    listed = ollama_facts(entry, show) if backend is Backend.OLLAMA else facts_of(servers_own(entry))
    facts = told.or_else(listed) if told else listed
    location = locate(entry, connections, settings)
    billions = facts.parameters_billion
    if billions is None:
        billions = parameters_from_name(server_model_id(entry, connections))
    created = entry.get("created")
    return Model(
        id=model_id,
        name=str(entry.get("name") or model_id),
        backend=backend,
        location=location,
        tier=tier_for(model_id, location, billions, settings),
        parameters_billion=billions,
        quantization=facts.quantization,
        context_window=facts.context_window,
        capabilities=_capabilities(entry, facts),
        resident=bool(entry.get("loaded")) if facts.resident is None else facts.resident,
        created=created if isinstance(created, int) else 0,
    )


def build_catalogue(
    entries: list[Mapping[str, Any]],
    shows: Mapping[str, Mapping[str, Any]],
    connections: Connections,
    settings: RoutingSettings,
    told: Mapping[str, Facts] | None = None,
) -> Catalogue:
    """Build the catalogue from Open WebUI's model list.

    `entries` are the models that the user may use; `shows` maps a model id to Ollama's /api/show, and `told` to what
    another local engine told of the model.
    Left out: presets and arenas (they stand for others), models that cannot chat, models that the
    administrator excluded, and functions unless one is named as the frontier model, since where a
    function sends a message cannot be known.
    """
    excluded = set(split_list(settings.excluded_models))
    models = []
    for entry in entries:
        model_id = str(entry.get("id", ""))
        if not model_id or model_id in excluded or not is_base_model(entry):
            continue
        if backend_of(entry) is Backend.FUNCTION and model_id != settings.frontier_model.strip():
            continue
        model = build_model(entry, shows.get(model_id, {}), connections, settings, (told or {}).get(model_id))
        if model.capabilities.chat:
            models.append(model)
    return Catalogue(tuple(models))

# ---- rightsize/errors.py -------------------------------------------------------------------------
# The errors a user can meet. The text of each is one sentence that says what to do.

class RightsizeError(Exception):
    """Base of every error Rightsize raises on purpose; `str(error)` is fit to show in the chat."""


class EmptyMessage(RightsizeError):
    """The request holds nothing to answer."""

    def __init__(self) -> None:
        super().__init__("The message is empty: type a question or attach a file, then send it again.")


class UnknownRoute(RightsizeError):
    """The manifold model asked for does not exist."""

    def __init__(self, route: str, known: list[str]) -> None:
        super().__init__(
            f"Rightsize has no model called '{route[:60]}': pick one of {', '.join(known)} in the model menu."
        )


class InvalidValve(RightsizeError):
    """A saved valve cannot be used."""

    def __init__(self, valve: str, problem: str) -> None:
        super().__init__(
            f"The Rightsize valve '{valve}' cannot be used ({problem}): ask an administrator to correct it "
            "under Admin Panel > Functions."
        )


class NoModelAvailable(RightsizeError):
    """No model satisfies the constraints of the request."""


class RequestTooLong(RightsizeError):
    """The request does not fit the context window of any allowed model."""

    def __init__(self, tokens: int, largest: int, where: str) -> None:
        super().__init__(
            f"This conversation needs about {tokens:,} tokens, more than the {largest:,} that the largest "
            f"{where} can read: shorten the message or start a new chat."
        )


class BackendFailed(RightsizeError):
    """The chosen model's backend refused or could not be reached."""

    def __init__(self, model: str, detail: str) -> None:
        # Providers can echo a request back in an error: keep the first line, and keep it short.
        first_line = detail.strip().splitlines()[0][:160].rstrip(" .") if detail.strip() else "no reason given"
        super().__init__(
            f"{model} could not answer ({first_line}): check that its server is running, or pick another model, "
            "and send the message again."
        )


class AnswerCutOff(RightsizeError):
    """The stream ended before the model said it had finished."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The answer from {model} was cut off before its end: press Regenerate, or pick another model."
        )


class PersonalDataBlocked(RightsizeError):
    """Personal data was found, or may be there, and no local model can take the request."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"This message was not sent, because {reason} and no local model that you may use can answer it: "
            "start Ollama, or ask an administrator for access to a local model."
        )


class GuardNotInPlace(RightsizeError):
    """The last check before every model call could not be set up, so nothing may be sent."""

    def __init__(self) -> None:
        super().__init__(
            "This message was not sent, because the Rightsize privacy guard does not fit this version of "
            "Open WebUI: ask an administrator to update Rightsize or switch the guard off."
        )


class DetectorUnavailable(RightsizeError):
    """A library that the personal-data check needs is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"Rightsize cannot check for personal data because the Python package '{package}' is missing: "
            "ask an administrator to install it."
        )


class UnexpectedFailure(RightsizeError):
    """Something failed that Rightsize did not foresee; only the kind of failure is named, never its text."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"Rightsize could not handle this message (internal error {type(error).__name__}): send it again, "
            "or pick a model directly and tell an administrator."
        )

# ---- rightsize/parameters.py ---------------------------------------------------------------------
# Sampling parameters in the form that each backend takes.
#
# Open WebUI hands a function every parameter at the top level of the body. Ollama wants its own under
# `options` (and Open WebUI's conversion drops the others); OpenAI-compatible servers refuse those they do not know.

# https://github.com/ollama/ollama/blob/main/docs/modelfile.md#valid-parameters-and-values, and the three
# that Open WebUI lifts from `options` to the root of Ollama's request: format, keep_alive and think.
OLLAMA_OPTIONS = frozenset(
    "temperature top_p top_k min_p seed stop num_predict num_ctx num_keep num_batch num_gpu num_thread main_gpu "
    "repeat_last_n repeat_penalty presence_penalty frequency_penalty mirostat mirostat_eta mirostat_tau tfs_z "
    "typical_p use_mmap use_mlock penalize_newline format keep_alive think".split()
)
# Those of them that the OpenAI chat completion API has too.
_SHARED_WITH_OPENAI = frozenset("temperature top_p seed stop presence_penalty frequency_penalty".split())


def shape_parameters(body: Mapping[str, Any], backend: Backend, context_window: int | None) -> dict[str, Any]:
    """Return a copy of the body with its parameters where the backend looks for them.

    `context_window`, in tokens, becomes Ollama's num_ctx.
    """
    shaped = dict(body)
    given = shaped.pop("options", None)
    options = dict(given) if isinstance(given, Mapping) else {}
    for name in OLLAMA_OPTIONS & shaped.keys():
        options.setdefault(name, shaped.pop(name))
    if backend is Backend.OLLAMA:
        if context_window:
            options["num_ctx"] = context_window
        if options:
            shaped["options"] = options
        return shaped
    shaped.update({name: value for name, value in options.items() if name in _SHARED_WITH_OPENAI})
    if "num_predict" in options:
        shaped.setdefault("max_tokens", options["num_predict"])
    return shaped


def asked_context_window(body: Mapping[str, Any]) -> int | None:
    """The context window that the request or its preset asks for (num_ctx), in tokens."""
    options = body.get("options")
    value = body.get("num_ctx") or (options.get("num_ctx") if isinstance(options, Mapping) else None)
    return value if isinstance(value, int) and value > 0 else None


def without_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the body without the tools on offer."""
    return {name: value for name, value in body.items() if name not in ("tools", "tool_choice", "parallel_tool_calls")}

# ---- rightsize/request.py ------------------------------------------------------------------------
# A chat request as the rest of the core sees it, read from an OpenAI-style body.

# OpenAI's rule of thumb is four characters of English a token; counting UTF-8 bytes instead
# keeps it honest for scripts where one character is a token.
BYTES_PER_TOKEN = 4
# What Ollama counts for an image, whatever its size (server/prompt.go).
IMAGE_TOKENS = 768
# Room kept free for the answer, in tokens.
ANSWER_TOKENS = 1024

_ATTACHMENT_TYPES = {"image_url": "image", "input_image": "image", "image": "image"}
# RFC 2397. What merely begins with "data:" is text.
_BASE64_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=_-]*")
_TEXT_TYPES = {"text", "input_text", "output_text"}
# Keys whose values are names of the protocol, never a user's words.
_PROTOCOL_KEYS = frozenset({"role", "type", "id", "tool_call_id", "call_id", "index", "status", "model"})


@dataclass(frozen=True)
class Message:
    """One message: its text, all of its strings (tool calls and results too), and its attachments' kinds."""

    role: str
    text: str
    strings: tuple[str, ...]
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatRequest:
    """What was asked: the messages in order, and how many tokens the specifications of the tools on offer take.

    `typed` is what the user wrote last, where it is known apart from what was put around it.
    """

    messages: tuple[Message, ...]
    tool_tokens: int = 0
    typed: str = ""

    @property
    def offers_tools(self) -> bool:
        """Whether tools are on offer."""
        return self.tool_tokens > 0

    @property
    def questions(self) -> list[str]:
        """The texts of the user's messages in order, the last as it was typed where that is known.

        Retrieved documents and the instructions that go with them are put around the last one.
        """
        texts = [message.text for message in self.messages if message.role == "user" and message.text.strip()]
        if texts and self.typed.strip() and self.typed in texts[-1]:
            texts[-1] = self.typed
        return texts

    @property
    def attachments(self) -> tuple[str, ...]:
        """The kinds of all attachments, in order."""
        return tuple(kind for message in self.messages for kind in message.attachments)

    @property
    def has_images(self) -> bool:
        """Whether any message carries an image."""
        return "image" in self.attachments

    @property
    def tokens(self) -> int:
        """Estimated tokens of all the text and images, without the tools on offer."""
        text = _estimate_tokens(text for message in self.messages for text in message.strings)
        return text + IMAGE_TOKENS * self.attachments.count("image")

    @property
    def tokens_with_tools(self) -> int:
        """Estimated tokens of all that `tokens` counts and of the specifications of the tools on offer."""
        return self.tokens + self.tool_tokens


def _estimate_tokens(texts: Iterable[str]) -> int:
    return math.ceil(sum(len(text.encode("utf-8", "replace")) for text in texts) / BYTES_PER_TOKEN)


def _strings(value: Any, key: str = "") -> Iterator[str]:
    """Every string inside a message, except protocol names and base64 data."""
    if isinstance(value, str):
        if key not in _PROTOCOL_KEYS and not _BASE64_DATA.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        for inner_key, inner in value.items():
            yield from _strings(inner, str(inner_key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner, key)
    elif isinstance(value, int | float) and not isinstance(value, bool) and key not in _PROTOCOL_KEYS:
        # A number in a tool's result can be a telephone or an account number.
        yield json.dumps(value)


def _read_content(content: Any) -> tuple[str, tuple[str, ...]]:
    """The text and the attachments' kinds of a message's content."""
    if isinstance(content, str):
        return content, ()
    texts: list[str] = []
    attachments: list[str] = []
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, Mapping):
            continue
        kind = str(part.get("type", ""))
        if kind in _TEXT_TYPES:
            texts.append(str(part.get("text", "")))
        else:
            attachments.append(_ATTACHMENT_TYPES.get(kind, "file"))
    return "\n".join(texts), tuple(attachments)


def read_request(body: Mapping[str, Any], typed: str = "") -> ChatRequest:
    """Read an OpenAI-style chat completion body, however little there is in it; `typed` is as in ChatRequest."""
    messages = []
    for raw in body.get("messages") or []:
        if not isinstance(raw, Mapping):
            continue
        text, attachments = _read_content(raw.get("content"))
        # Ollama's own message format, as met after Open WebUI has converted a request.
        attachments += ("image",) * len(raw.get("images") or [])
        strings = tuple(_strings({key: value for key, value in raw.items() if key != "images"}))
        messages.append(Message(str(raw.get("role", "user")), text, strings, attachments))
    # A chat template writes the specifications into the prompt as the JSON that they come as.
    tools = body.get("tools")
    specifications = [json.dumps(tools, ensure_ascii=False, default=str)] if tools else []
    return ChatRequest(tuple(messages), tool_tokens=_estimate_tokens(specifications), typed=typed)


def parse_request(body: Mapping[str, Any], typed: str = "") -> ChatRequest:
    """Read a chat completion body that a model is to answer; `typed` is as in ChatRequest.

    Raises EmptyMessage when no message but a system prompt holds text or an attachment.
    """
    request = read_request(body, typed)
    if not any(message.text.strip() or message.attachments for message in request.messages if message.role != "system"):
        raise EmptyMessage
    return request

# ---- rightsize/names.py --------------------------------------------------------------------------
# Names of people, as far as the words around them give them away.
#
# Without a language model nobody can tell a private person's name from a public one's, so a name counts only where
# its surroundings make it a private one: "my name is ...", "patient ...", "call ... on", a title, a signature.

# Between words. Every run is bounded: two unbounded ones side by side take the square of what lies between them.
_GAP = r"\s{1,8}"
_MAYBE_GAP = r"\s{0,8}"
_NEXT_LINE = r"[ \t]{0,8}(?:\n[ \t]{0,8}){1,8}"
# A word starts where no letter stands before it and has an end: without both, a megabyte of capitals takes hours.
_WORD = r"(?<!\w)[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|['’\-]){1,40}(?!\w)"
_PARTICLES = r"(?:(?:van|von|de|der|den|la|le|di|da|al|bin)\s{1,8}){0,3}"
_NEXT_WORD = rf"\s{{1,8}}{_PARTICLES}(?:[A-Z]\.\s{{0,8}})?{_WORD}"
_PERSON = rf"(?-i:{_WORD}(?:{_NEXT_WORD}){{0,3}})"
_FULL_NAME = rf"(?-i:{_WORD}{_NEXT_WORD})"

# Names in scripts without capitals: Chinese, Japanese, Korean, Hebrew, Arabic, Devanagari.
_UNCASED = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u05d0-\u05ea\u0620-\u064a\u0900-\u097f]{2,20}"

_INTRODUCTION = (
    rf"(?:i(?:['’]m|{_GAP}am){_GAP}called|ich{_GAP}hei(?:ß|ss)e|mein{_GAP}name{_GAP}ist|je{_GAP}m['’]appelle|"
    rf"mon{_GAP}nom{_GAP}est|me{_GAP}llamo|mi{_GAP}nombre{_GAP}es|mi{_GAP}chiamo|ik{_GAP}heet|o{_GAP}meu{_GAP}nome{_GAP}é|"
    rf"jeg{_GAP}heter|jag{_GAP}heter|nazywam{_GAP}się)"
)
_TITLE = r"(?:mr|mrs|ms|miss|mx|dr|prof|herr|frau|madame|monsieur|se[nñ]or|se[nñ]ora)"
_RELATION = (
    r"(?:client|customer|employee|applicant|candidate|tenant|claimant|defendant|colleague|neighbou?r|husband|wife|son|"
    r"daughter|mother|father|sister|brother|boyfriend|girlfriend|boss|manager|doctor|friend)"
)
_REACH = rf"(?:call|contact|email|e-mail|text|phone|ring|reach|write{_GAP}to|remind|invite|meet|ask)"
_HAPPENED = rf"(?:diagnosed|hospitali[sz]ed|fired|arrested|pregnant|born{_GAP}on|hired|prescribed|admitted)"
_BELONGING = r"(?:phone|number|address|e-?mail|salary|diagnosis|medical|birthday|account|passport|password)"

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\bname(?:['’]s|{_GAP}is|{_MAYBE_GAP}:){_GAP}(?P<name>{_PERSON}|{_UNCASED})",
        # Whoever introduces themselves need not write capitals.
        rf"\bmy{_GAP}name(?:['’]s|{_GAP}is){_GAP}(?P<name>[^\W\d_]{{2,40}})",
        rf"(?:\b{_INTRODUCTION}{_GAP}|姓名{_MAYBE_GAP}[:：]?{_MAYBE_GAP}|我叫|私の名前は)(?P<name>{_PERSON}|{_UNCASED})",
        rf"\b(?:i{_GAP}am|i['’]m){_GAP}(?P<name>{_FULL_NAME})",
        rf"\b{_TITLE}\b\.?{_GAP}(?P<name>{_PERSON})",
        rf"\b(?:my|our|his|her|their|your|the){_GAP}{_RELATION}{_MAYBE_GAP}(?:name{_MAYBE_GAP})?[,:]?{_GAP}(?P<name>{_PERSON})",
        rf"\bpatient{_MAYBE_GAP}(?:name{_MAYBE_GAP})?[,:]?{_GAP}(?P<name>{_PERSON})",
        rf"\b{_REACH}{_GAP}(?P<name>{_FULL_NAME})",
        rf"^[ \t]{{0,8}}(?:dear|hi|hello)[ \t]{{1,8}}(?P<name>{_PERSON}){_MAYBE_GAP}[,!:]",
        rf"\b(?:sincerely|regards|cheers|best{_GAP}wishes|yours|love)[ \t]{{0,8}},?{_NEXT_LINE}(?P<name>{_FULL_NAME})",
        rf"(?P<name>{_FULL_NAME})(?:['’]s)?{_GAP}(?:was|is|has{_GAP}been|were){_GAP}{_HAPPENED}",
        rf"(?P<name>{_FULL_NAME})['’]s{_GAP}{_BELONGING}",
    )
)

# Capitalised words that follow those surroundings without being a name.
_NOT_NAMES = frozenset(
    "A An And Api Are At But By Can Could Customer Dear Do Does English Everyone For French From German Gpt Have "
    "He Hello Her His How I If In Is It Its Json Linux Madam May My No Not Of On Or Our Please Python Service She "
    "Should Sir Team That The Their There These They This To Us We What When Where Which Who Why Will With World "
    "Would Yes You Your".split()
)


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of each name whose surroundings say that it is a private person's."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if match["name"].split()[0].strip("'’-").capitalize() not in _NOT_NAMES:
                yield match.span("name")


def has_full_name(text: str) -> bool:
    """Whether two or more capitalised words stand together, which next to other personal data are likely a name."""
    return any(
        not any(word.capitalize() in _NOT_NAMES for word in match[0].split()) for match in re.finditer(_FULL_NAME, text)
    )

# ---- rightsize/personal_data.py ------------------------------------------------------------------
# Find personal data in text. Numbers are checked by python-stdnum and phonenumbers, not by their looks alone.

class Kind(StrEnum):
    """A kind of personal data, worded as it is shown to the user."""

    NAME = "a name"
    PHONE = "a phone number"
    EMAIL = "an email address"
    POSTAL_ADDRESS = "a postal address"
    BIRTH_DATE = "a date of birth"
    CARD = "a payment card number"
    BANK_ACCOUNT = "a bank account number"
    NATIONAL_ID = "a national identity number"
    IP_ADDRESS = "an IP address"
    UNCHECKED = "more numbers than can be checked"
    ATTACHMENT = "an attachment that cannot be read for personal data"
    NOT_CHECKED = "a message that could not be checked for personal data"


@dataclass(frozen=True)
class Findings:
    """The kinds of personal data found, in the order of Kind; never the data itself."""

    kinds: tuple[Kind, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.kinds)

    def merged_with(self, kinds: Iterable[Kind]) -> "Findings":
        """These findings and the given kinds, without repeats."""
        found = {*self.kinds, *kinds}
        return Findings(tuple(kind for kind in Kind if kind in found))

    @property
    def sentence(self) -> str:
        """The kinds as a phrase: 'a name and a phone number'."""
        if len(self.kinds) < 2:
            return "".join(self.kinds)
        return f"{', '.join(self.kinds[:-1])} and {self.kinds[-1]}"


# A text with more number-like runs than this is a data set: checking each would hold up the chat.
_MOST_CANDIDATES = 2000

_EMAIL = re.compile(r"[\w.+%'-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,:/-])(?:\+|00)?\(?\d[\d ()./\u2010-\u2015\xa0-]{4,22}\d(?![\w]|[.,:]\d)")
_PHONE_WORD = re.compile(
    r"\b(?:phone|telephone|tel|mobile|cell|call|fax|whatsapp|sms|text|ring|reach|handy|telefon|t[eé]l[eé]phone|portable|"
    r"m[oó]vil|tel[eé]fono|cellulare|number\s+is)\b[^\n]{0,24}$",
    re.IGNORECASE,
)
# Shapes that telephone numbers share: dates, ranges of years, amounts with their thousands apart, IP addresses.
_NOT_PHONE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|(?:19|20)\d\d ?[-\u2010-\u2015/] ?(?:19|20)\d\d"
    r"|\d{1,3}(?:[. ]\d{3})+|(?:\d{1,3}\.){3}\d{1,3}"
)
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
# Global unicast IPv6 addresses lie in 2000::/3 (RFC 4291, section 2.4).
_IP_VERSION_6 = re.compile(r"(?<![\w:])[23][0-9a-f]{1,3}(?::[0-9a-f]{0,4}){3,7}(?![\w:])", re.IGNORECASE)
_BIRTH = re.compile(
    r"\b(?:born(?:\s+on)?|date\s+of\s+birth|birth\s*date|d\.?o\.?b\.?|birthday|geboren(?:\s+am)?|n[ée]e?\s+le)\b"
    r"[\s:is]{0,6}(?:\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?\.?\s+[^\W\d]{3,12}\s+\d{4}"
    r"|[^\W\d]{3,12}\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b\d{1,5}[a-z]?\s+(?:[A-ZÀ-Þ][\w'’.-]*\s+){1,4}(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|"
    r"square|terrace|place|way|close|crescent)\b(?=(?:\s+[ns]?[ew]|\s+[ns])?\.?\s*(?:,|\n|$|in\b|apt|flat|#|\.|;))"
    r"|\b(?:[A-ZÀ-Þ][\w'’-]*(?:straße|strasse|str\.|weg|gasse|platz|allee|gade|vej|gatan|straat|laan))\s+\d{1,4}\b"
    r"|\b\d{1,4},?\s+(?:rue|avenue|boulevard|place|chemin)\s+(?:de\s+|du\s+|des\s+|la\s+|le\s+|l['’])*[A-ZÀ-Þ]\w+"
    r"|\b(?:calle|via|avenida|rua)\s+[A-ZÀ-Þ]\w+(?:\s+\w+){0,3},?\s+\d{1,4}\b",
    re.IGNORECASE,
)

# National numbers whose written form is their own, each with the python-stdnum module that checks it.
_NATIONAL_FORMATS = (
    (re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), "stdnum.us.ssn"),
    (re.compile(r"\b[A-Z]\d{7}[A-Z]\b|\b[XYZ]-?\d{7}-?[A-Z]\b", re.IGNORECASE), "stdnum.es.nie"),
    (re.compile(r"\b\d{8}-?[A-Z]\b", re.IGNORECASE), "stdnum.es.dni"),
    (re.compile(r"\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]\b", re.IGNORECASE), "stdnum.it.codicefiscale"),
    (re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)"), "stdnum.fr.nir"),
    (re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"), "stdnum.br.cpf"),
    (re.compile(r"(?<!\w)\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?!\w)"), "stdnum.be.nn"),
    (re.compile(r"(?<!\w)756\.\d{4}\.\d{4}\.\d{2}(?!\w)"), "stdnum.ch.ssn"),
    (re.compile(r"(?<!\w)\d{6}-\d{4}(?!\w)"), "stdnum.dk.cpr"),
    (re.compile(r"(?<!\w)\d{6}[-+]\d{4}(?!\w)"), "stdnum.se.personnummer"),
    (re.compile(r"(?<!\w)\d{3} ?\d{3} ?\d{4}(?!\w)"), "stdnum.gb.nhs"),
)
# Bare runs of digits that only the words before them make a national number.
_NATIONAL_WORD = re.compile(
    r"\b(?:ssn|social\s+security|national\s+insurance|nino|passport|tax\s+(?:id|number)|steuer-?id\w*|bsn|pesel|aadhaar|"
    r"identity\s+(?:card|number)|id\s+(?:card|number)|driver'?s?\s+licen[cs]e|medicare|nhs)\b[^\n\d]{0,20}"
    r"(?=[A-Z]{0,3}[\d -]{6,})",
    re.IGNORECASE,
)


def _library(name: str) -> Any:
    # Loaded at the first check, not at the top: a missing library must lead to a local answer,
    # not to a function that Open WebUI cannot load and therefore silently leaves out.
    try:
        return import_module(name)
    except ImportError as error:
        raise DetectorUnavailable("python-stdnum" if name.startswith("stdnum") else name) from error


class _TooManyCandidates(Exception):
    """A text holds more number-like runs than can be checked without holding up the chat."""


def _candidates(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, match in enumerate(pattern.finditer(text)):
        if count >= _MOST_CANDIDATES:
            raise _TooManyCandidates
        yield match


def _has_phone(text: str, regions: tuple[str, ...]) -> bool:
    phonenumbers = _library("phonenumbers")

    def valid(number: str, region: str | None) -> bool:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            return False
        # A number written with its country code only has to be possible: refusing invalid ones would let typos through.
        return bool(phonenumbers.is_possible_number(parsed) if region is None else phonenumbers.is_valid_number(parsed))

    for match in _candidates(_PHONE, text):
        number = match[0].strip()
        digits = sum(character.isdigit() for character in number)
        if not 7 <= digits <= 15:
            continue
        if number.startswith("+") and valid(number, None):
            return True
        if _PHONE_WORD.search(text, max(0, match.start() - 48), match.start()):
            return True
        if _NOT_PHONE.fullmatch(number):
            continue
        written_as_one = number.isdigit() and not number.startswith("0")
        if digits >= 8 and not written_as_one and any(valid(number, region) for region in regions):
            return True
    return False


def _has_card(text: str) -> bool:
    luhn = _library("stdnum.luhn")
    numbers = (re.sub(r"\D", "", match[0]) for match in _candidates(_CARD, text))
    return any(luhn.is_valid(number) and len(set(number)) > 1 for number in numbers)


def _has_bank_account(text: str) -> bool:
    iban = _library("stdnum.iban")
    lengths = range(15, 35)
    for match in _candidates(_IBAN, text):
        compact = match[0].replace(" ", "")
        # The words after an IBAN can look like more of it, so every possible length is tried.
        if any(iban.is_valid(compact[:length]) for length in lengths if length <= len(compact)):
            return True
    return False


def _has_national_id(text: str) -> bool:
    if _NATIONAL_WORD.search(text):
        return True
    for pattern, module in _NATIONAL_FORMATS:
        for match in _candidates(pattern, text):
            # Ten bare digits pass the NHS check one time in eleven: only the word "NHS" makes them one.
            if module == "stdnum.gb.nhs" and "NHS" not in text[max(0, match.start() - 40) : match.start()].upper():
                continue
            if _library(module).is_valid(match[0]):
                return True
    return False


def _has_ip_address(text: str) -> bool:
    def is_global(written: str) -> bool:
        try:
            return ipaddress.ip_address(written).is_global
        except ValueError:
            return False

    # Version numbers look like addresses; those with a first part below 5 are mostly versions.
    if any(is_global(match[0]) and int(match[0].split(".")[0]) >= 5 for match in _candidates(_IP, text)):
        return True
    return any(is_global(match[0]) for match in _candidates(_IP_VERSION_6, text))


def _readable(text: str) -> str:
    """The text as it reads: full-width digits as digits, no invisible characters between them, and no wide gaps."""
    seen = re.sub(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"\n(?: ?\n)+", "\n\n", re.sub(r"[^\S\n]+", " ", seen))


def _detect(text: str, regions: tuple[str, ...]) -> Iterator[Kind]:
    checks: tuple[tuple[Kind, Callable[[], object]], ...] = (
        (Kind.PHONE, lambda: _has_phone(text, regions)),
        (Kind.EMAIL, lambda: _EMAIL.search(text)),
        (Kind.POSTAL_ADDRESS, lambda: _STREET.search(text)),
        (Kind.BIRTH_DATE, lambda: _BIRTH.search(text)),
        (Kind.CARD, lambda: _has_card(text)),
        (Kind.BANK_ACCOUNT, lambda: _has_bank_account(text)),
        (Kind.NATIONAL_ID, lambda: _has_national_id(text)),
        (Kind.IP_ADDRESS, lambda: _has_ip_address(text)),
    )
    found = []
    for kind, check in checks:
        try:
            if check():
                found.append(kind)
        except _TooManyCandidates:
            found.append(Kind.UNCHECKED)
    yield from found
    if next(find_names(text), None) or (found and has_full_name(text)):
        yield Kind.NAME


class PersonalDataDetector:
    """Finds personal data, remembering what it found in texts it has seen so that a long chat is read once.

    Only digests of texts are remembered, at most `memory` of them.
    """

    def __init__(self, memory: int = 4096) -> None:
        self._memory = memory
        self._seen: dict[bytes, tuple[Kind, ...]] = {}

    def scan_text(self, text: str, settings: PrivacySettings) -> tuple[Kind, ...]:
        """The kinds of personal data in one text. Raises DetectorUnavailable if a library is missing."""
        regions = split_list(settings.phone_regions.upper())
        key = blake2b(f"{regions}\0{text}".encode("utf-8", "replace"), digest_size=16).digest()
        if key not in self._seen:
            if len(self._seen) >= self._memory:
                self._seen.pop(next(iter(self._seen)))
            self._seen[key] = tuple(_detect(_readable(text), regions))
        return self._seen[key]

    def scan(self, request: ChatRequest, settings: PrivacySettings) -> Findings:
        """The kinds of personal data in a whole request.

        Fails closed: what cannot be checked (an attachment, or anything at all when a library is missing)
        counts as personal data.
        """
        kinds: set[Kind] = set()
        if settings.attachments_stay_local and request.attachments:
            kinds.add(Kind.ATTACHMENT)
        try:
            for message in request.messages:
                for text in message.strings:
                    kinds.update(self.scan_text(text, settings))
        except DetectorUnavailable:
            kinds.add(Kind.NOT_CHECKED)
        return Findings().merged_with(kinds)

# ---- rightsize/traits.py -------------------------------------------------------------------------
# The words that show what a request asks for, in English, German, French, Spanish and Chinese.

def _is_latin(word: str) -> bool:
    # Latin letters with their accents end with U+024F; Chinese begins far above.
    return all(ord(letter) < 0x250 for letter in word)


def _words(*groups: str) -> re.Pattern[str]:
    """A pattern that finds any of the words; those of scripts without spaces stand anywhere in a sentence."""
    words = [word for group in groups for word in group.split()]
    latin = rf"\b(?:{'|'.join(filter(_is_latin, words))})\b"
    return re.compile("|".join([latin, *(word for word in words if not _is_latin(word))]), re.IGNORECASE)


# Program text, by its form: "class" and "return" alone are everyday words.
# Runs are bounded, or a megabyte made for the purpose would hold up the chat.
CODE_FORM = re.compile(
    r"```|^[ \t]*(?:def|class)[ \t]+\w+[ \t]?[(:{]|"
    r"^[ \t]*(?:import[ \t]+\w+|from[ \t]+[\w.]+[ \t]+import\b|#include\b)|"
    r"\b(?:function\s?\w{0,40}\(|console\.log|public\s+static|SELECT\s.{1,200}?\sFROM\b|INSERT\s+INTO\b)|"
    r"=>[ \t]?\{|\)[ \t]?\{[ \t]?$",
    re.MULTILINE,
)
# In these lists a dot stands for any one character, a space inside a term above all.
CODE = _words(
    r"refactor\w* debug\w* traceback stack.trace segfault segmentation.fault unit.tests? regex\w* algorithms? sql",
    r"compil(?:e|er|es|ing) docker\w* kubernetes concurren\w+ race.conditions? lock-free memory.leaks? implement\w*",
    r"distributed microservices? scalab\w+ fault-toleran\w+ multi-region code.?base source.code pull.request",
    r"api.endpoints? implementier\w* programmier\w* quellcode implémente\w* déboguer algorithme implementa\w*",
    r"programar algoritmo 代码 程序 函数 算法 实现",
)
# Something is to be made or mended, and it is a piece of software.
CODE_TASK = re.compile(
    r"\b(?:write|fix|build|create|make|optimi[sz]e|review|port|convert|add|schreib\w*|écri\w*|escrib\w*)\b.{0,60}?"
    r"\b(?:code|scripts?|programs?|functions?|class(?:es)?|components?|query|queries|api|app|bugs?|parsers?|servers?|websites?|"
    r"(?:java|type)?script|python|rust|java|react|css|html|sql|skript|programm|funktion|fonction|programme|función|programa)\b",
    re.IGNORECASE | re.DOTALL,
)
MATHS = _words(
    r"prove[sd]? proofs? theorems? lemmas? integrals? derivatives? differential.equations? eigen\w+ matri(?:x|ces)",
    r"converge\w* induction probabilit(?:y|ies) bayes\w* optimi[sz]ation asymptotic\w* irrational polynomials?",
    r"combinatori\w+ equations? solve calculus linearizab\w+ beweis\w* gleichung\w* integral\w* wahrscheinlichkeit\w*",
    r"démontre\w* équations? théorème dérivée demuestr\w* demostra\w* ecuaci\w+ teorema derivada",
    r"证明 方程 积分 定理 概率 矩阵 求导",
)
MATHS_FORM = re.compile(r"\\frac|\\int|\\sum|[∑∫√≤≥∀∃]|\b[a-z]\^\d")
# A problem told in words: at least three quantities, and a question for another.
_QUANTITY = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*\s?(?:%|[a-zA-Z]{1,12}\b)?")
_QUANTITY_ASKED = re.compile(
    r"\b(?:how\s+(?:many|much|long|far|fast|old)|when\s+(?:do|does|will)|what\s+is\s+the\s+(?:total|average|probability|ratio))\b",
    re.IGNORECASE,
)
REASONING = _words(
    r"analy[sz]e[sd]? analysis compar(?:e|ed|ison) contrast evaluat(?:e|ion) assess\w* critique critical(?:ly)? design",
    r"architect\w* trade-?offs? strateg\w+ justify step[\s-]by[\s-]step reason\w*.through derive[sd]? derivation plan",
    r"diagnose pros.and.cons root.cause in.depth in.detail detailed comprehensive\w* rigorous\w* thorough\w* research",
    r"synthesi[sz]e argue failure.modes? implications?",
    r"analysier\w* vergleich\w* bewerte\w* begründ\w* ausführlich\w* entwirf entwerfe\w* herleit\w*",
    r"schritt.für.schritt analyse[rz]? compare[rz]? évalue[rz]? justifie[rz]? conçois concevoir approfondi\w*",
    r"étape.par.étape analiza\w* compara\w* evalúa\w* justifica\w* diseña\w* detallad\w* paso.a.paso",
    r"分析 比较 评估 设计 推导 详细 论述 一步一步",
)
LONG_WRITING = re.compile(
    r"\b(?:write|draft|compose|rewrite|summari[sz]e|schreib\w*|verfass\w*|rédige\w*|écri\w*|redacta\w*|escrib\w*)\b.{0,60}?"
    r"\b(?:essay|article|report|story|proposal|speech|chapter|blog|paper|documentation|letter|contract|agreement|policy|guide|"
    r"thesis|screenplay|business\s+plan|aufsatz|artikel|bericht|geschichte|rede|brief|vertrag|dissertation|rapport|histoire|"
    r"lettre|contrat|ensayo|artículo|informe|historia|carta|contrato)\b|写一(?:篇|份|个故事)",
    re.IGNORECASE | re.DOTALL,
)
LISTED_PART = re.compile(r"^[ \t]*(?:\d+[.)]|[-*•])[ \t]+\S", re.MULTILINE)
CONDITION = re.compile(
    r"\b(?:must(?:\s+not)?|should|at\s+least|at\s+most|exactly|without|ensure|only\s+if)\b", re.IGNORECASE
)


def is_word_problem(text: str) -> bool:
    """Whether a text gives three quantities or more and asks for another."""
    return bool(_QUANTITY_ASKED.search(text)) and sum(1 for _ in _QUANTITY.finditer(text)) >= 3

# ---- rightsize/signals.py ------------------------------------------------------------------------
# How hard a request is, read from its words. Every point given carries the reason shown to the user.

# Points from which each tier is wanted. They follow from the weights below: one hard trait is medium,
# two or three together are large, and nearly all at once are for the frontier.
_MEDIUM_FROM, _LARGE_FROM, _FRONTIER_FROM = 2, 5, 11


@dataclass(frozen=True)
class Signals:
    """How hard a request is: `points` from 0 up, the tier they ask for, and the reasons."""

    points: int
    tier: Tier
    reasons: tuple[str, ...]


# Characters at either end of a message in which its words are looked for: what lies between is most often pasted.
_LOOKED_AT = 10_000


def _score(text: str) -> tuple[int, list[str]]:
    points = 0
    reasons: list[str] = []

    def add(worth: int, reason: str) -> None:
        nonlocal points
        points += worth
        reasons.append(reason)

    words = len(text.split())
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"
    if CODE.search(text) or CODE_FORM.search(text) or CODE_TASK.search(text):
        add(2, "code")
    if MATHS.search(text) or MATHS_FORM.search(text) or is_word_problem(text):
        add(3, "mathematics")
    asked_for = {match[0].lower() for match in REASONING.finditer(text)}
    if asked_for:
        add(min(1 + len(asked_for), 4), "analysis")
    if len(LISTED_PART.findall(text)) >= 3:
        add(2, "several parts")
    constraints = len(CONDITION.findall(text))
    if constraints >= 2:
        add(1 if constraints < 4 else 2, "several conditions")
    if text.count("?") >= 3:
        add(1, "several questions")
    if LONG_WRITING.search(text):
        add(2, "long-form writing")
    if words > 250:
        add(2, "a long message")
    elif words > 60:
        add(1, "a detailed message")
    return points, reasons


def read_signals(request: ChatRequest) -> Signals:
    """Score the last question; a short follow-up ("and why?") inherits from the question before it, less one."""
    questions = request.questions
    points, reasons = _score(questions[-1]) if questions else (0, [])
    if len(questions) > 1 and len(questions[-1].split()) < 12:
        earlier_points, _ = _score(questions[-2])
        if earlier_points - 1 > points:
            points, reasons = earlier_points - 1, ["a follow-up to a harder question"]
    # Long documents need a model that keeps track of them, whatever the question is.
    if request.tokens > 16_000:
        points, reasons = points + 3, [*reasons, "a very long context"]
    elif request.tokens > 4_000:
        points, reasons = points + 1, [*reasons, "a long context"]
    if points >= _FRONTIER_FROM:
        tier = Tier.FRONTIER
    elif points >= _LARGE_FROM:
        tier = Tier.LARGE
    else:
        tier = Tier.MEDIUM if points >= _MEDIUM_FROM else Tier.SMALL
    return Signals(points, tier, tuple(reasons) or ("a short, simple question",))

# ---- rightsize/routing.py ------------------------------------------------------------------------
# The choice: which model answers, within what the constraints allow, and why.

class Route(StrEnum):
    """What the user picked in the model menu."""

    AUTO = "auto"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    FRONTIER = "frontier"
    LOCAL = "local"


@dataclass(frozen=True)
class Decision:
    """Which model answers and why.

    `found` is the personal data in the request, and `kept_local` says that it overruled a choice that could have
    gone to the cloud; `without_tools` that no allowed model can take the tools on offer, so they are left out;
    `context_window` is what the backend is to be asked for, in tokens, or None for its own default.
    """

    model: Model
    reasons: tuple[str, ...]
    found: Findings = field(default_factory=Findings)
    kept_local: bool = False
    without_tools: bool = False
    context_window: int | None = None

    def sentence(self, instead_of: str = "") -> str:
        """The line shown above the answer, short enough for one line; `instead_of` is a model that was passed over."""
        model = self.model
        if self.found and (self.kept_local or instead_of):
            passed_over = instead_of or "the cloud"
            return (
                f"Kept local: {model.name} ({model.tier}) answers instead of {passed_over}, for {self.found.sentence}."
            )
        return f"{model.name} answers ({model.tier}, {model.location}): {'; '.join(self.reasons)}."


# Ollama serves this many tokens of context unless asked for more, and silently drops the rest.
OLLAMA_DEFAULT_CONTEXT = 4096

# Cheaper siblings of a provider's best model carry one of these words in their names.
_LESSER_SIBLING = re.compile(r"\b(mini|nano|small|lite|flash|haiku|instant|tiny|turbo|fast|air)\b", re.IGNORECASE)


def _rank(model: Model, settings: RoutingSettings) -> tuple[object, ...]:
    """Sort key within one tier, best first: a loaded model answers at once; then the larger is the better."""
    if model.tier is Tier.FRONTIER:
        return (
            model.id != settings.frontier_model.strip(),
            _LESSER_SIBLING.search(model.id) is not None,
            -model.created,
            model.id,
        )
    return (not model.resident, -(model.parameters_billion or 0.0), model.id)


def _nearest(models: list[Model], wanted: Tier, settings: RoutingSettings) -> Model:
    """The best model of the wanted tier; failing that the next tier up, then down."""
    order = list(Tier)
    place = order.index(wanted)
    for tier in [*order[place:], *reversed(order[:place])]:
        candidates = [model for model in models if model.tier is tier]
        if candidates:
            return min(candidates, key=lambda model: _rank(model, settings))
    raise NoModelAvailable("No model is available: ask an administrator to add one.")


def context_to_ask_for(model: Model, tokens: int, asked: int | None) -> int | None:
    """Enough context for a request of `tokens`, so that Ollama does not silently cut its beginning off.

    `asked` is what a preset asks for. Returns tokens, or None where the backend's own default does.
    """
    if model.backend is not Backend.OLLAMA:
        return None
    needed = tokens + ANSWER_TOKENS
    context = asked or OLLAMA_DEFAULT_CONTEXT
    while context < needed:
        context *= 2
    if model.context_window:
        context = min(context, model.context_window)
    return context if asked or context > OLLAMA_DEFAULT_CONTEXT else None


def _fit(models: list[Model], request: ChatRequest, where: str) -> list[Model]:
    """The models that can see the images and hold the whole request."""
    if request.has_images:
        # Only Ollama says what its models can do; of the others, one that is not known to be blind is tried.
        seeing = [model for model in models if model.capabilities.vision]
        models = seeing or [model for model in models if model.capabilities.vision is None]
        if not models:
            raise NoModelAvailable(
                f"No {where} that you may use can see images: ask an administrator to add one with vision, "
                "or remove the image."
            )
    needed = request.tokens + ANSWER_TOKENS
    fitting = [model for model in models if model.context_window is None or model.context_window >= needed]
    if not fitting:
        raise RequestTooLong(needed, max(model.context_window or 0 for model in models), where)
    return fitting


def can_use_tools(model: Model, request: ChatRequest) -> bool:
    """Whether a model takes the tools on offer, and holds their specifications beside the messages."""
    needed = request.tokens_with_tools + ANSWER_TOKENS
    return model.capabilities.tools is not False and (model.context_window is None or model.context_window >= needed)


def _no_local_model(findings: Findings) -> Exception:
    if findings:
        return PersonalDataBlocked(f"it holds {findings.sentence}")
    return NoModelAvailable(
        "No local model is available: start Ollama and pull a model, or pick Frontier to use the cloud."
    )


def decide(
    route: Route,
    request: ChatRequest,
    findings: Findings,
    catalogue: Catalogue,
    settings: RoutingSettings,
    asked_context: int | None = None,
) -> Decision:
    """Choose the model for a request.

    `findings` is the personal data in it; with any, only local models are considered. `asked_context` is
    the context window that a preset asks for, in tokens.

    Raises PersonalDataBlocked, NoModelAvailable or RequestTooLong.
    """
    signals = read_signals(request)
    reasons: list[str] = []
    local = [model for model in catalogue.models if model.is_local]
    # An administrator may have moved a local model up to the frontier tier.
    frontier = [model for model in catalogue.models if model.tier is Tier.FRONTIER or not model.is_local]
    if route is Route.AUTO and not settings.auto_may_use_cloud:
        frontier = [model for model in frontier if model.is_local]

    wanted = signals.tier if route in (Route.AUTO, Route.LOCAL) else Tier(route)
    for_the_frontier = bool(frontier) and wanted is Tier.FRONTIER and route in (Route.AUTO, Route.FRONTIER)
    if route in (Route.AUTO, Route.LOCAL):
        reasons.extend(signals.reasons)
    else:
        reasons.append(f"the {route} tier was picked")

    if for_the_frontier and not findings:
        candidates, where = frontier, "frontier model"
    else:
        candidates, where = local, "local model"
        if findings:
            reasons.append(f"stays local for {findings.sentence}")
        elif route is Route.FRONTIER:
            raise NoModelAvailable(
                "No cloud model is available to you: ask an administrator to add a connection, or pick Auto."
            )
        elif route is Route.LOCAL:
            reasons.append("local only")
    if not candidates:
        raise _no_local_model(findings)

    fitting = _fit(candidates, request, where)
    without_tools = False
    if request.offers_tools:
        with_tools = [model for model in fitting if can_use_tools(model, request)]
        without_tools = not with_tools
        fitting = with_tools or fitting
        if without_tools:
            some_can = any(model.capabilities.tools is not False for model in fitting)
            cause = "the tools on offer do not fit" if some_can else "no allowed model can use tools"
            reasons.append(f"{cause}, so they were left out")

    reachable = wanted if wanted in LOCAL_TIERS or candidates is frontier else Tier.LARGE
    model = _nearest(fitting, reachable, settings)
    if model.tier is not reachable:
        reasons.append(f"no {reachable} model fits")
    return Decision(
        model=model,
        reasons=tuple(reasons),
        found=findings,
        kept_local=bool(findings) and for_the_frontier and not all(model.is_local for model in frontier),
        without_tools=without_tools,
        context_window=context_to_ask_for(
            model, request.tokens if without_tools else request.tokens_with_tools, asked_context
        ),
    )

# ---- rightsize_webui/server_answer.py ------------------------------------------------------------
# One question to a model server over HTTP, asked so that no answer, however bad, can hold up or break a chat.

# Open WebUI sends every model request with aiohttp: proxies and certificates hold here as they do there.

# Bytes read of an answer. A router that lists hundreds of models, each with its arguments, stays far below.
MOST_BYTES = 4_000_000


@dataclass(frozen=True)
class ServerAnswer:
    """What a server answered: the HTTP status, and the JSON of its body, None where it is none."""

    status: int
    body: Any = None

    @property
    def settled(self) -> bool:
        """Whether asking again would bring the same: not so if the server failed, is busy or wants another key."""
        return self.status < 500 and self.status not in (401, 403, 408, 429)


async def get_json(
    address: str, headers: Mapping[str, str], cookies: Mapping[str, str], ssl: Any, seconds: float
) -> ServerAnswer | None:
    """GET an address. Returns None if the server does not answer within `seconds`, or sends too much.

    A redirection is not followed: the headers hold the connection's key, which is for this server alone.
    """
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True, cookies=cookies) as session,
            session.get(address, headers=headers, ssl=ssl, allow_redirects=False) as response,
        ):
            text = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                text += chunk
                if len(text) > MOST_BYTES:
                    return None
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    try:
        return ServerAnswer(status, json.loads(text))
    except (ValueError, RecursionError):
        return ServerAnswer(status)

# ---- rightsize_webui/host.py ---------------------------------------------------------------------
# Open WebUI, as far as Rightsize needs it. This module alone imports it.
#
# The imports stand inside the methods because importing Open WebUI starts it (it reads its configuration and
# opens its database), which a test of Rightsize must be able to do without. Checked against Open WebUI 0.12.4.

logger = logging.getLogger("rightsize")

# Seconds to wait for Ollama's /api/show: without an answer the model's abilities count as unknown.
SHOW_TIMEOUT = 5.0
# Seconds to wait for the answer of another local engine, likewise.
ENGINE_TIMEOUT = 2.0


def _config_of(configs: Any, index: int, url: Any) -> Mapping[str, Any]:
    """A connection's configuration: Open WebUI keeps it under its index, and once kept it under its URL."""
    configs = configs if isinstance(configs, Mapping) else {}
    config = configs.get(str(index), configs.get(url, {}))
    return config if isinstance(config, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _connections(urls: Any, configs: Any) -> tuple[Connection, ...]:
    found = []
    for index, url in enumerate(urls if isinstance(urls, list) else []):
        config = _config_of(configs, index, url)
        found.append(Connection(str(url), _text(config.get("connection_type")), _text(config.get("prefix_id"))))
    return tuple(found)


def with_own_state(request: Any) -> Any:
    """A request for one model call, with the state of the given one but not sharing it.

    Open WebUI answers a chat and makes its title at the same time, for the same request, and notes in the request's
    state that a system prompt has been applied: sharing it, the one call would lose the other its system prompt.
    """
    if not isinstance(request, Request):
        return request
    return Request({**request.scope, "state": dict(request.scope.get("state", {}))}, request.receive)


class OpenWebUI:
    """The running Open WebUI that this function was loaded into."""

    async def entries(self, request: Any, user: Any) -> dict[str, Mapping[str, Any]]:
        """Every model that Open WebUI knows, by id, a direct connection's model of this request included."""
        from open_webui.utils.models import get_all_models

        if not request.app.state.MODELS:
            await get_all_models(request, user=user)
        entries: dict[str, Mapping[str, Any]] = dict(request.app.state.MODELS.items())
        direct = getattr(request.state, "model", None)
        if getattr(request.state, "direct", False) and isinstance(direct, Mapping):
            entries[str(direct.get("id"))] = {**direct, "direct": True}
        return entries

    async def visible_entries(self, request: Any, user: Any) -> list[Mapping[str, Any]]:
        """The models that the user has access to, by Open WebUI's own rules."""
        from open_webui.utils.models import get_filtered_models

        entries = [entry for entry in (await self.entries(request, user)).values() if not entry.get("direct")]
        return list(await get_filtered_models(entries, user))

    async def connections(self) -> Connections:
        """The Ollama and OpenAI connections that administrators have saved."""
        from open_webui.models.config import Config

        saved = await Config.get_many(
            "ollama.base_urls", "ollama.api_configs", "openai.api_base_urls", "openai.api_configs"
        )
        return Connections(
            ollama=_connections(saved.get("ollama.base_urls"), saved.get("ollama.api_configs")),
            openai=_connections(saved.get("openai.api_base_urls"), saved.get("openai.api_configs")),
        )

    async def show(self, request: Any, model_id: str, user: Any) -> Mapping[str, Any]:
        """Ollama's /api/show for a model, or an empty mapping if it does not answer."""
        from open_webui.routers.ollama import ModelNameForm, show_model_info

        try:
            form = ModelNameForm(model=model_id)
            shown = await asyncio.wait_for(show_model_info(request, form, user), SHOW_TIMEOUT)
        except Exception as error:
            logger.warning("Ollama's /api/show failed for %s: %s", model_id, type(error).__name__)
            return {}
        return shown if isinstance(shown, Mapping) else {}

    async def ask_server(
        self, request: Any, user: Any, index: int, connection: Connection, address: str
    ) -> ServerAnswer | None:
        """GET an address of an OpenAI-compatible connection's server, with that connection's key and headers.

        Returns None if it does not answer, or if the connection at this index is another by now.
        """
        from open_webui.env import AIOHTTP_CLIENT_SESSION_SSL
        from open_webui.models.config import Config
        from open_webui.utils.headers import get_headers_and_cookies

        saved = await Config.get_many("openai.api_base_urls", "openai.api_keys", "openai.api_configs")
        urls, configs = saved.get("openai.api_base_urls"), saved.get("openai.api_configs")
        if _connections(urls, configs)[index : index + 1] != (connection,):
            return None
        keys = saved.get("openai.api_keys") or []
        headers, cookies = await get_headers_and_cookies(
            request,
            connection.url,
            keys[index] if index < len(keys) else "",
            dict(_config_of(configs, index, connection.url)),
            user=user,
        )
        return await get_json(address, headers, cookies, AIOHTTP_CLIENT_SESSION_SSL, ENGINE_TIMEOUT)

    async def user(self, user: Mapping[str, Any]) -> Any:
        """Open WebUI's own user object for the `__user__` that functions are given."""
        from open_webui.models.users import Users

        return await Users.get_user_by_id(str(user.get("id", "")))

    async def complete(self, request: Any, body: dict[str, Any], user: Any) -> Any:
        """Run a chat completion through Open WebUI itself: its connections, its keys, its access control.

        Returns a streaming response, a dict, or an error response. Raises what the backend raises.
        """
        from open_webui.utils.chat import generate_chat_completion

        return await generate_chat_completion(with_own_state(request), body, user)

    async def saved_valves(self, function_id: str) -> dict[str, Any]:
        """The valves saved for a function; empty if it is not installed or has none."""
        from open_webui.models.functions import Functions

        saved = await Functions.get_function_valves_by_id(function_id) or {}
        return {name: value for name, value in saved.items() if value is not None}

    async def is_switched_on(self, filter_id: str) -> bool:
        """Whether a filter is switched on, global or not."""
        from open_webui.models.functions import Functions

        return any(active_id == filter_id for active_id, _ in await Functions.get_active_filter_ids())

    async def load_if_switched_on(self, function_id: str) -> None:
        """Load a function if it is switched on and not loaded yet."""
        from open_webui.main import app
        from open_webui.utils.plugin import get_function_module_from_cache

        if not await self.is_switched_on(function_id):
            return
        try:
            await get_function_module_from_cache(SimpleNamespace(app=app), function_id)
        except Exception as error:
            logger.error("The function %s could not be loaded: %s", function_id, type(error).__name__)

    async def install_packages(self, packages: list[str]) -> None:
        """Install packages as Open WebUI installs those that a function requires.

        Does nothing where its settings forbid it (OFFLINE_MODE). Raises CalledProcessError when pip fails.
        """
        from open_webui.utils.plugin import install_frontmatter_requirements

        await asyncio.to_thread(install_frontmatter_requirements, ", ".join(packages))

    async def function_attribute(self, request: Any, function_id: str, attribute: str) -> Any:
        """An attribute of an installed function's object, or None."""
        from open_webui.utils.plugin import get_function_module_from_cache

        try:
            function, _, _ = await get_function_module_from_cache(request, function_id)
        except Exception as error:
            logger.warning("The function %s could not be loaded: %s", function_id, type(error).__name__)
            return None
        return getattr(function, attribute, None)

    async def preset_system_prompt(self, model_id: str, metadata: Mapping[str, Any], user: Any) -> str:
        """The system prompt saved with a preset, its variables filled in; empty if there is none."""
        from open_webui.models.models import Models
        from open_webui.utils.payload import resolve_system_prompt

        preset = await Models.get_model_by_id(model_id)
        if preset is None:
            return ""
        return str(await resolve_system_prompt(preset.params.model_dump().get("system"), dict(metadata), user))

    def chat_module(self) -> Any:
        """The module through which Open WebUI sends every chat completion."""
        import open_webui.utils.chat

        return open_webui.utils.chat

# ---- rightsize_webui/detection.py ----------------------------------------------------------------
# The personal-data check as the functions run it: its libraries seen to first, then in a thread of its own.

logger = logging.getLogger("rightsize")

# The check's libraries: the module of each, and what PyPI calls it.
PACKAGES = {"phonenumbers": "phonenumbers", "stdnum": "python-stdnum"}
# Seconds until a failed installation is tried again.
RETRY_AFTER = 600.0


def missing_packages() -> list[str]:
    """The packages whose modules cannot be found."""
    return [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]


class Detection:
    """Scans requests, installing the libraries through Open WebUI where they are missing.

    They are not in the functions' `requirements`: a function whose requirements cannot be installed (a new container
    without a way to PyPI) is switched off by Open WebUI without a word, and a guard must not be.
    """

    def __init__(self, host: OpenWebUI) -> None:
        self._host = host
        self._detector = PersonalDataDetector()
        self._try_again_at = 0.0

    async def scan(self, request: ChatRequest, settings: PrivacySettings) -> Findings:
        """The kinds of personal data in a request; without its libraries everything counts as unchecked."""
        missing = missing_packages()
        if missing and time.monotonic() >= self._try_again_at:
            self._try_again_at = time.monotonic() + RETRY_AFTER
            await self._install(missing)
        return await asyncio.to_thread(self._detector.scan, request, settings)

    async def _install(self, packages: list[str]) -> None:
        try:
            await self._host.install_packages(packages)
        except Exception as error:
            logger.error("%s could not be installed: %s", ", ".join(packages), type(error).__name__)
        importlib.invalidate_caches()

# ---- rightsize/engines/lm_studio.py --------------------------------------------------------------
# What LM Studio tells of a model: in GET /api/v1/models (0.4.0 and newer) and GET /api/v0/models (0.3.6 and newer).
#
# https://lmstudio.ai/docs/developer/rest/list and https://lmstudio.ai/docs/developer/rest/endpoints. Its
# OpenAI-compatible list (GET /v1/models) holds nothing but the ids.

_KINDS_OF_CHAT = ("llm", "vlm")
_KINDS_OF_EMBEDDING = ("embedding", "embeddings")


def _chat(kind: Any) -> bool | None:
    if kind in _KINDS_OF_EMBEDDING:
        return False
    return True if kind in _KINDS_OF_CHAT else None


def _facts_of_v0(entry: Mapping[str, Any]) -> Facts:
    kind, state, able = entry.get("type"), entry.get("state"), entry.get("capabilities")
    return Facts(
        quantization=label(entry.get("quantization")),
        context_window=token_count(entry.get("loaded_context_length")) or token_count(entry.get("max_context_length")),
        vision=kind == "vlm" if kind in _KINDS_OF_CHAT else None,
        tools="tool_use" in words(able) if isinstance(able, list) else None,
        chat=_chat(kind),
        resident=state == "loaded" if isinstance(state, str) else None,
    )


def _facts_of_v1(entry: Mapping[str, Any], instance: Mapping[str, Any]) -> Facts:
    able = mapping(entry.get("capabilities"))
    loaded = entry.get("loaded_instances")
    return Facts(
        parameters_billion=parse_parameter_size(str(entry.get("params_string") or "")),
        quantization=label(mapping(entry.get("quantization")).get("name")),
        context_window=token_count(mapping(instance.get("config")).get("context_length"))
        or token_count(entry.get("max_context_length")),
        vision=flag(able.get("vision")),
        tools=flag(able.get("trained_for_tool_use")),
        chat=_chat(entry.get("type")),
        resident=bool(loaded) if isinstance(loaded, list) else None,
    )


def read_lm_studio_v0(body: Any) -> dict[str, Facts] | None:
    """The facts of GET /api/v0/models by model id, or None if the answer is not LM Studio's."""
    listed = mapping(body).get("data")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    if not any("state" in entry and _chat(entry.get("type")) is not None for entry in entries):
        return None
    return {str(entry.get("id", "")): _facts_of_v0(entry) for entry in entries}


def read_lm_studio_v1(body: Any) -> dict[str, Facts] | None:
    """The facts of GET /api/v1/models by model id, or None if the answer is not LM Studio's.

    A loaded model goes by the ids of its instances too, each of which may have a window of its own.
    """
    listed = mapping(body).get("models")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    if not any("key" in entry and _chat(entry.get("type")) is not None for entry in entries):
        return None
    facts: dict[str, Facts] = {}
    for entry in entries:
        loaded = entry.get("loaded_instances")
        instances = [item for item in loaded if isinstance(item, Mapping)] if isinstance(loaded, list) else []
        by_id = {str(instance.get("id", "")): _facts_of_v1(entry, instance) for instance in instances}
        key = str(entry.get("key", ""))
        first = next(iter(by_id.values()), _facts_of_v1(entry, {}))
        facts.update({key: first, **by_id})
    return facts

# ---- rightsize_webui/local_engines.py ------------------------------------------------------------
# Ask the servers of local connections about their models: llama.cpp's server, LM Studio, vLLM.
#
# Open WebUI's list of models holds what they told when it was last refreshed, which can be long ago, and nothing that
# their OpenAI-compatible lists leave out.

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

# ---- rightsize_webui/discovery.py ----------------------------------------------------------------
# Discover the catalogue: nothing about models is configured, all is asked of Open WebUI, Ollama and local engines.

def base_entry(entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Follow a preset to the model it is based on; None if the chain breaks or turns in a circle."""
    seen: set[str] = set()
    while entry.get("preset"):
        info = entry.get("info")
        base_id = str(info.get("base_model_id") or "") if isinstance(info, Mapping) else ""
        if base_id in seen or base_id not in entries:
            return None
        seen.add(base_id)
        entry = entries[base_id]
    return entry


class Discovery:
    """Builds a user's catalogue, asking Ollama about each model once for as long as its digest stays the same.

    Other local engines are asked at the same time, as `LocalEngines` says.
    """

    def __init__(self, host: OpenWebUI) -> None:
        self._host = host
        self._engines = LocalEngines(host)
        self._shows: dict[tuple[str, str], Mapping[str, Any]] = {}

    async def _show(self, request: Any, entry: Mapping[str, Any], user: Any) -> Mapping[str, Any]:
        model_id = str(entry["id"])
        tags = entry.get("ollama")
        key = (model_id, str(tags.get("digest", "")) if isinstance(tags, Mapping) else "")
        if key not in self._shows:
            shown = await self._host.show(request, model_id, user)
            if not shown:
                return {}
            self._shows[key] = shown
        return self._shows[key]

    async def catalogue(
        self, request: Any, user: Any, settings: RoutingSettings, own_function_id: str = ""
    ) -> Catalogue:
        """The models that the user may use, except those of Rightsize's own manifold."""
        entries = [
            entry
            for entry in await self._host.visible_entries(request, user)
            if not (entry.get("pipe") and str(entry.get("id", "")).partition(".")[0] == own_function_id)
        ]
        ollama = [entry for entry in entries if is_base_model(entry) and backend_of(entry) is Backend.OLLAMA]
        connections = await self._host.connections()
        shown, told = await asyncio.gather(
            asyncio.gather(*(self._show(request, entry, user) for entry in ollama)),
            self._engines.facts(request, user, entries, connections, settings),
        )
        shows = {str(entry["id"]): show for entry, show in zip(ollama, shown, strict=True)}
        return build_catalogue(entries, shows, connections, settings, told)

    async def keeps_personal_data_local(
        self, request: Any, model_id: str, user: Any, settings: RoutingSettings
    ) -> bool:
        """Whether whatever is sent to a model stays on the user's own hardware. Unknown means that it does not.

        A function's model counts only if the function declares `keeps_personal_data_local`, as Rightsize's does.
        """
        entries = await self._host.entries(request, user)
        entry = base_entry(entries[model_id], entries) if model_id in entries else None
        if entry is None or entry.get("arena"):
            return False
        if entry.get("pipe"):
            function_id = str(entry.get("id", "")).partition(".")[0]
            return await self._host.function_attribute(request, function_id, "keeps_personal_data_local") is True
        return locate(entry, await self._host.connections(), settings) is Location.LOCAL

# ---- rightsize/stream.py -------------------------------------------------------------------------
# Streamed answers, read just far enough to know whether it came to its end.

DONE = "[DONE]"
# How the Responses API ends its stream: https://platform.openai.com/docs/api-reference/responses-streaming
_ENDS_OF_A_RESPONSE = ("response.completed", "response.incomplete", "response.failed")
_WORDS_OF_AN_END = (
    '"finish_reason"',
    '"usage"',
    '"error"',
    *_ENDS_OF_A_RESPONSE,
)


def event_payload(line: bytes | str) -> str:
    """The payload of one `data:` line of a server-sent event stream, or an empty string."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.strip()
    return text.removeprefix("data:").strip() if text.startswith("data:") else ""


def ends_answer(payload: str, backend: Backend) -> bool:
    """Whether a payload of a backend's stream says that the model has finished, or why it did not (an error)."""
    # Nearly every chunk is a few letters of the answer: look for the words before parsing.
    if not any(word in payload for word in _WORDS_OF_AN_END):
        return False
    try:
        event: Any = json.loads(payload)
    except ValueError:
        return False
    if not isinstance(event, dict):
        return False
    if event.get("error") or event.get("type") in _ENDS_OF_A_RESPONSE:
        return True
    if backend is Backend.OLLAMA:
        # Open WebUI turns every chunk of Ollama's without text, an error too, into one with the finish_reason "stop";
        # only the chunk in which Ollama itself says that it is done gets the usage.
        return bool(event.get("usage"))
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def error_event(sentence: str) -> str:
    """An error as an event of the stream, in the form that Open WebUI shows in the chat and saves with it."""
    return f"data: {json.dumps({'error': {'message': sentence}})}\n\n"


def read_ollama_line(line: bytes | str) -> tuple[bool, str]:
    """Whether a line of Ollama's own stream says that the model is done, and the error that it carries if any."""
    try:
        chunk: Any = json.loads(line)
    except ValueError:
        return False, ""
    if not isinstance(chunk, dict):
        return False, ""
    return chunk.get("done") is True, str(chunk.get("error") or "")


def last_ollama_line(model: str, sentence: str) -> str:
    """A line of Ollama's own stream that ends an answer with a sentence, in a paragraph of its own."""
    message = {"role": "assistant", "content": f"\n\n{sentence}"}
    return json.dumps({"model": model, "message": message, "done": True, "done_reason": "stop"}) + "\n"

# ---- rightsize_webui/failure.py ------------------------------------------------------------------
# Turn what was not foreseen into one sentence, keeping its text (it may quote the message) out of the log.

logger = logging.getLogger("rightsize")


def as_rightsize_error(error: Exception) -> RightsizeError:
    """Return the error itself if it is fit to show, else an UnexpectedFailure whose place is logged."""
    if isinstance(error, RightsizeError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    logger.error("%s at %s", type(error).__name__, place)
    return UnexpectedFailure(error)


def detail_of(error: Any) -> str:
    """The words in which a backend says what went wrong, out of the many shapes that errors come in."""
    if isinstance(error, Mapping):
        for key in ("error", "detail", "message"):
            if error.get(key):
                return detail_of(error[key])
        return ""
    return str(error)


def as_backend_failure(model: str, error: Exception) -> RightsizeError:
    """Return the error itself if it is fit to show, else what Open WebUI raised for a model's backend as ours."""
    if isinstance(error, RightsizeError):
        return error
    return BackendFailed(model, detail_of(getattr(error, "detail", None) or str(error)))

# ---- rightsize_webui/answer.py -------------------------------------------------------------------
# Ask the chosen model and pass its answer on as it comes.

def _response_detail(response: Response) -> str:
    try:
        return detail_of(json.loads(bytes(response.body)))
    except (ValueError, AttributeError):
        return f"HTTP {response.status_code}"


# What Starlette streams.
Lines = AsyncIterable[str | bytes | memoryview]


def _plain(line: str | bytes | memoryview) -> str | bytes:
    return bytes(line) if isinstance(line, memoryview) else line


async def _close(lines: Lines) -> None:
    close = getattr(lines, "aclose", None)
    if close is not None:
        await close()


async def relay(lines: Lines, model: str, backend: Backend) -> AsyncIterator[str | bytes]:
    """Pass a streamed answer on unchanged; if it breaks off, end it with one sentence that says so.

    `lines` are server-sent events in OpenAI's form. When the reader stops early (the stop button), they are closed,
    which makes the backend stop too.
    """
    finished = False
    try:
        async for line in lines:
            chunk = _plain(line)
            payload = event_payload(chunk)
            if payload == DONE:
                # Open WebUI ends every converted Ollama stream with [DONE], broken ones too;
                # of an OpenAI-compatible server it is the server's own word.
                finished = finished or backend is not Backend.OLLAMA
                continue
            finished = finished or ends_answer(payload, backend)
            yield chunk
    except Exception:
        finished = False
    finally:
        await _close(lines)
    if not finished:
        yield error_event(str(AnswerCutOff(model)))
    yield f"data: {DONE}\n\n"


async def relay_ollama(lines: Lines, model: str) -> AsyncIterator[str | bytes]:
    """Do the same for Ollama's own stream of JSON lines.

    What Open WebUI makes of such a stream has no place for errors, so the sentence becomes the end of the answer.
    """
    finished, reason = False, ""
    try:
        async for line in lines:
            chunk = _plain(line)
            finished, reason = read_ollama_line(chunk)
            if reason:
                break
            yield chunk
    except Exception:
        finished = False
    finally:
        await _close(lines)
    if not finished:
        yield last_ollama_line(model, str(BackendFailed(model, reason) if reason else AnswerCutOff(model)))


async def _then_clean_up(lines: Lines, response: StreamingResponse) -> AsyncIterator[str | bytes]:
    # Open WebUI does not run the background task (closing the connection) of a function's response.
    try:
        async for line in lines:
            yield _plain(line)
    finally:
        await _close(lines)
        if response.background is not None:
            await response.background()


async def ask(
    host: OpenWebUI, request: Any, body: Mapping[str, Any], metadata: Mapping[str, Any], user: Any, decision: Decision
) -> StreamingResponse | dict[str, Any]:
    """Send the request to the decision's model through Open WebUI and return its answer.

    Everything in the body (tools, images, files, stream options) goes along. Raises BackendFailed when the
    backend cannot be reached or refuses.
    """
    model = decision.model
    sent = shape_parameters(body, model.backend, decision.context_window)
    sent["model"] = model.id
    sent["metadata"] = dict(metadata)
    if decision.without_tools:
        sent = without_tools(sent)
    try:
        response = await host.complete(request, sent, user)
    except Exception as error:
        raise as_backend_failure(model.name, error) from None
    if isinstance(response, StreamingResponse):
        lines = relay(response.body_iterator, model.name, model.backend)
        return StreamingResponse(_then_clean_up(lines, response), media_type="text/event-stream")
    if isinstance(response, Response):
        raise BackendFailed(model.name, _response_detail(response))
    if isinstance(response, dict) and response.get("error") and not response.get("choices"):
        raise BackendFailed(model.name, detail_of(response))
    if not isinstance(response, dict):
        raise BackendFailed(model.name, "it sent no answer")
    return response

# ---- rightsize_webui/egress.py -------------------------------------------------------------------
# The last check before every model call.
#
# Open WebUI calls filters for a chat's own messages, but not when it asks a model for a title, tags, follow-up
# questions, a search query, a memory or a summary of the same messages: with a cloud model selected, those would carry
# personal data out. All of these calls, and the chat's own, go through four functions that `open_webui.utils.chat`
# looks up by name. Each is wrapped here, so that nothing is sent before it has been looked at.

OLLAMA_SENDER = "generate_ollama_chat_completion"
SENDERS = (
    "generate_openai_chat_completion",
    OLLAMA_SENDER,
    "generate_function_chat_completion",
    "generate_direct_chat_completion",
)
# Set in a request's metadata once the guard has moved it to a local model.
KEPT_LOCAL = "rightsize_kept_local"
_WRAPPED = "rightsize_wrapped"

# Given (request, form_data, user, only_ollama): the decision for a local model instead, or None to send as asked.
Check = Callable[[Any, dict[str, Any], Any, bool], Awaitable[Decision | None]]


async def _send_moved(
    original: Any, name: str, request: Any, form_data: dict[str, Any], user: Any, rest: dict[str, Any]
) -> Any:
    """Send a request that the guard has moved to a local model.

    The user did not choose this model: when it fails, or its answer breaks off, a sentence says which one it was.
    """
    model = str(form_data.get("model"))
    try:
        response = await original(request=request, form_data=form_data, user=user, **rest)
    except Exception as error:
        raise as_backend_failure(model, error) from None
    if isinstance(response, StreamingResponse):
        lines = response.body_iterator
        ollama = name == OLLAMA_SENDER
        response.body_iterator = relay_ollama(lines, model) if ollama else relay(lines, model, Backend.OPENAI)
    return response


def _wrap(chat: Any, name: str, original: Any, check: Check) -> Any:
    @functools.wraps(original)
    async def checked(request: Any, form_data: dict[str, Any], user: Any, **rest: Any) -> Any:
        # Ollama's sender gets Ollama's own format and its answer is read as such: only an Ollama model can step in.
        decision = await check(request, form_data, user, name == OLLAMA_SENDER)
        if decision is None:
            if KEPT_LOCAL in (form_data.get("metadata") or {}):
                return await _send_moved(original, name, request, form_data, user, rest)
            return await original(request=request, form_data=form_data, user=user, **rest)
        model, context_window = decision.model, decision.context_window
        if decision.without_tools:
            form_data = without_tools(form_data)
        if name == OLLAMA_SENDER:
            options = {**(form_data.get("options") or {}), **({"num_ctx": context_window} if context_window else {})}
            redirected = {**form_data, "model": model.id, "options": options}
            return await original(request=request, form_data=redirected, user=user, **rest)
        redirected = {**shape_parameters(form_data, model.backend, context_window), "model": model.id}
        return await chat.generate_chat_completion(with_own_state(request), redirected, user)

    setattr(checked, _WRAPPED, original)
    return checked


def put_in_place(chat: Any, check: Check) -> None:
    """Wrap the four senders of Open WebUI's chat module, replacing an earlier wrapping.

    Raises GuardNotInPlace if one of them is not there.
    """
    originals = {}
    for name in SENDERS:
        original = getattr(chat, name, None)
        while hasattr(original, _WRAPPED):
            original = getattr(original, _WRAPPED)
        if not callable(original):
            raise GuardNotInPlace
        originals[name] = original
    for name, original in originals.items():
        setattr(chat, name, _wrap(chat, name, original, check))

# ---- rightsize_webui/status.py -------------------------------------------------------------------
# The line above an answer that says which model gave it and why.

EventEmitter = Callable[[dict[str, Any]], Awaitable[None]]


async def show_status(emit: EventEmitter | None, sentence: str) -> None:
    """Show a sentence above the answer; without an emitter (a call through the API) there is nowhere to show it."""
    if emit is not None:
        await emit({"type": "status", "data": {"action": "rightsize", "description": sentence, "done": True}})

# ---- rightsize_webui/valves.py -------------------------------------------------------------------
# Valves that survive bad values: saving one is refused, and one that is saved already is reported in the chat.

# The ids under which Rightsize's functions are installed, by which each finds the other's valves.
PIPE_ID = "rightsize"
GUARD_ID = "privacy_guard"


class SavedValves(BaseModel):
    """Mixed into a settings model, makes it what Open WebUI calls a function's Valves.

    Open WebUI drops a function whose saved valves do not validate: its models vanish, and a filter fails with a
    page of text. So the values are taken as they are and the problem is kept for `checked`.
    """

    _problem: InvalidValve | None = PrivateAttr(default=None)

    def __init__(self, **values: Any) -> None:
        problem = None
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "valves"
            problem = InvalidValve(name, first["msg"].removeprefix("Value error, "))
            super().__init__()
        self._problem = problem

    def checked(self) -> Self:
        """Return these valves. Raises InvalidValve if a saved value cannot be used."""
        if self._problem is not None:
            raise self._problem
        return self

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Dump the values, as Open WebUI does to save them. Raises InvalidValve, so that bad ones are not saved."""
        return super(SavedValves, self.checked()).model_dump(**options)

# ---- filters/privacy_guard.py --------------------------------------------------------------------

class Filter:
    """A global filter that finds personal data and moves the request that holds it to a local model."""

    class Valves(SavedValves, PrivacySettings):
        """What counts as personal data."""

        priority: int = Field(
            default=100, description="Filters with a lower number run first; the guard should see what they add."
        )

    class RoutingValves(SavedValves, RoutingSettings):
        """The Rightsize pipe's valves, which say what is local; its defaults where it is not installed."""

    def __init__(self, host: OpenWebUI | None = None) -> None:
        self.valves = self.Valves()
        self._host = host or OpenWebUI()
        self._discovery = Discovery(self._host)
        self._detection = Detection(self._host)
        # Open WebUI loads a function as a module named function_<id>_<32 hexadecimal digits>.
        loaded_as = re.fullmatch(r"function_(.+)_[0-9a-f]{32}", __name__)
        self._id = loaded_as[1] if loaded_as else GUARD_ID
        try:
            put_in_place(self._host.chat_module(), self._check_before_sending)
            self._in_place = True
        except (ImportError, GuardNotInPlace):
            # Failing to load would leave every chat unguarded: load, and refuse them.
            self._in_place = False

    async def inlet(
        self,
        body: dict[str, Any],
        __user__: dict[str, Any],
        __request__: Any,
        __metadata__: dict[str, Any],
        __model__: Mapping[str, Any] | None = None,
        __event_emitter__: EventEmitter | None = None,
    ) -> dict[str, Any]:
        """Check a message as the user sent it. Raises a RightsizeError if it may not be sent."""
        return await self._guard(body, __user__, __request__, __metadata__, __model__ or {}, __event_emitter__)

    async def request(
        self,
        body: dict[str, Any],
        __user__: dict[str, Any],
        __request__: Any,
        __metadata__: dict[str, Any],
        __model__: Mapping[str, Any] | None = None,
        __event_emitter__: EventEmitter | None = None,
    ) -> dict[str, Any]:
        """Check a request as it is about to go to a model, retrieved documents, memories and tool results included.

        Raises a RightsizeError if it may not be sent.
        """
        body = await self._guard(body, __user__, __request__, __metadata__, __model__ or {}, __event_emitter__)
        if KEPT_LOCAL not in __metadata__:
            return body
        try:
            return await self._fit_to_local_model(body, __user__, __request__, __metadata__, __model__ or {})
        except Exception as error:
            raise as_rightsize_error(error) from None

    async def _guard(
        self,
        body: dict[str, Any],
        user_fields: Mapping[str, Any],
        request: Any,
        metadata: dict[str, Any],
        selected: Mapping[str, Any],
        emit: EventEmitter | None,
    ) -> dict[str, Any]:
        try:
            if not self._in_place:
                raise GuardNotInPlace
            user = await self._host.user(user_fields)
            decision = await self._local_decision(request, body, user, metadata)
            if decision is None:
                return body
            metadata[KEPT_LOCAL] = decision.model.backend.value
            await show_status(emit, decision.sentence(instead_of=str(selected.get("name") or body.get("model"))))
            return {**body, "model": decision.model.id}
        except Exception as error:
            raise as_rightsize_error(error) from None

    async def _fit_to_local_model(
        self,
        body: dict[str, Any],
        user_fields: Mapping[str, Any],
        request: Any,
        metadata: Mapping[str, Any],
        selected: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Give the local model its parameters in its own form, and the selected preset's system prompt."""
        user = await self._host.user(user_fields)
        settings = await self._routing_settings()
        model = (await self._discovery.catalogue(request, user, settings)).find(str(body.get("model", "")))
        asked = asked_context_window(body)
        # What was put into the request since the model was chosen (documents, tool results) has to fit too.
        chat = read_request(body)
        with_tools = model is None or can_use_tools(model, chat)
        needed = chat.tokens_with_tools if with_tools else chat.tokens
        context_window = context_to_ask_for(model, needed, asked) if model else asked
        shaped = shape_parameters(body, Backend(metadata[KEPT_LOCAL]), context_window)
        if not with_tools:
            shaped = without_tools(shaped)
        prompt = await self._host.preset_system_prompt(str(selected.get("id", "")), metadata, user)
        messages = list(shaped.get("messages") or [])
        if prompt and not any(
            prompt in str(message.get("content")) for message in messages if message.get("role") == "system"
        ):
            shaped["messages"] = [{"role": "system", "content": prompt}, *messages]
        return shaped

    async def _routing_settings(self) -> RoutingSettings:
        return self.RoutingValves(**await self._host.saved_valves(PIPE_ID)).checked()

    async def _local_decision(
        self,
        request: Any,
        body: Mapping[str, Any],
        user: Any,
        metadata: Mapping[str, Any],
        only_ollama: bool = False,
    ) -> Decision | None:
        """Which local model must take a request, or None if it may go where it was going.

        Raises PersonalDataBlocked if there is none.
        """
        privacy = self.Valves(**await self._host.saved_valves(self._id)).checked()
        settings = await self._routing_settings()
        model_id = str(body.get("model", ""))
        if await self._discovery.keeps_personal_data_local(request, model_id, user, settings):
            return None
        # Open WebUI puts a preset's system prompt, the user's name and email filled in, into the request as it leaves.
        prompt = await self._host.preset_system_prompt(model_id, metadata, user)
        messages = [{"role": "system", "content": prompt}, *(body.get("messages") or [])]
        chat = read_request({**body, "messages": messages}, str(metadata.get("base_user_prompt") or ""))
        findings = await self._detection.scan(chat, privacy)
        if not findings:
            return None
        catalogue = await self._discovery.catalogue(request, user, settings)
        if only_ollama:
            catalogue = Catalogue(tuple(model for model in catalogue.models if model.backend is Backend.OLLAMA))
        route = Route.SMALL if metadata.get("task") else Route.LOCAL
        return decide(route, chat, findings, catalogue, settings, asked_context_window(body))

    async def _check_before_sending(
        self, request: Any, form_data: dict[str, Any], user: Any, only_ollama: bool
    ) -> Decision | None:
        """The last check: the decision for a local model that a call must go to instead, or None.

        Raises a RightsizeError to stop the call.
        """
        # Switched on but not made global, Open WebUI would not call the hooks above; this check still stands.
        if not await self._host.is_switched_on(self._id):
            return None
        try:
            metadata = form_data.get("metadata") or {}
            return await self._local_decision(request, form_data, user, metadata, only_ollama)
        except Exception as error:
            raise as_rightsize_error(error) from None
