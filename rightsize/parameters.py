"""Sampling parameters in the form that each backend takes.

Open WebUI hands a function every parameter at the top level of the body. Ollama wants its own under
`options` (and Open WebUI's conversion drops the others); OpenAI-compatible servers refuse those they do not know.
"""

from collections.abc import Mapping
from typing import Any

from rightsize.catalogue import Backend

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
