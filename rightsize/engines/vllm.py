"""What vLLM tells of a model: in GET /v1/models, and nothing about what it sees or whether it takes tools.

`ModelCard` in vllm/entrypoints/openai/engine/protocol.py of https://github.com/vllm-project/vllm.
"""

from collections.abc import Mapping
from typing import Any

from rightsize.engines.facts import Facts, parameters_from_name, token_count


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
