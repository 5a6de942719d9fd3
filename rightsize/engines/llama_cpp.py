"""What llama.cpp's server tells of a model: in GET /v1/models and GET /props.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server, whose answers of build b1-86a2835 are in tests/engines.
As a router of several models it lists also those that are not loaded, with the arguments they would be started with.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rightsize.engines.facts import Facts, billions, flag, label, mapping, parameters_from_name, token_count, words

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
