"""What Ollama tells of a model: in /api/tags, which Open WebUI lists under `ollama`, and in /api/show."""

from collections.abc import Mapping
from typing import Any

from rightsize.engines.facts import Facts, flag, label, mapping, parse_parameter_size, token_count, words


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
