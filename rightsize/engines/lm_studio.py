"""What LM Studio tells of a model: in GET /api/v1/models (0.4.0 and newer) and GET /api/v0/models (0.3.6 and newer).

https://lmstudio.ai/docs/developer/rest/list and https://lmstudio.ai/docs/developer/rest/endpoints. Its
OpenAI-compatible list (GET /v1/models) holds nothing but the ids.
"""

from collections.abc import Mapping
from typing import Any

from rightsize.engines.facts import Facts, flag, label, mapping, parse_parameter_size, token_count, words

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
