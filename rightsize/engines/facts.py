"""What a model's server tells of it, and how values that may be anything are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


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
