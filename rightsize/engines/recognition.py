"""Which local engine serves a model, told by the shape of its answers, and what it tells of the model."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rightsize.engines.facts import Facts, mapping, words
from rightsize.engines.llama_cpp import is_router_entry, llama_cpp_facts
from rightsize.engines.vllm import vllm_facts


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
