"""Durations as Go reads them, and keep_alive as Ollama takes it."""

import re

# Go's time.ParseDuration (https://pkg.go.dev/time#ParseDuration).
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_TYPES = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}

# The longest duration of Go, 2^63 - 1 nanoseconds or 292 years: what Ollama makes of every negative keep_alive.
FOR_EVER = (2**63 - 1) / 1e9


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "5m", "1h30m" or "-1.5s". Raises ValueError with Go's words."""
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    seconds = 0.0
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    while rest:
        number = re.match(r"[0-9]*(?:\.[0-9]*)?", rest)
        digits = number.group() if number else ""
        if not digits.strip("."):
            raise ValueError(f'time: invalid duration "{text}"')
        rest = rest[len(digits) :]
        unit = re.split(r"[.0-9]", rest, maxsplit=1)[0]
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        rest = rest[len(unit) :]
        seconds += float(digits) * _UNITS[unit]
    if seconds > FOR_EVER:
        raise ValueError(f'time: invalid duration "{text}"')
    return sign * seconds


def parse_keep_alive(value: object) -> float:
    """Seconds of a request's keep_alive: a duration, or a number of whole seconds; negative is for ever.

    Raises ValueError with Ollama's words.
    """
    if isinstance(value, str):
        seconds = parse_duration(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(int(value)) if value >= 0 else -1.0
    else:
        raise ValueError(f"Unsupported type: '{_GO_TYPES.get(type(value), type(value).__name__)}'")
    return FOR_EVER if seconds < 0 else min(seconds, FOR_EVER)


def parse_keep_alive_setting(text: str) -> float:
    """Seconds of OLLAMA_KEEP_ALIVE, which unlike a request may also hold bare digits: "-1" is for ever.

    Raises ValueError.
    """
    return parse_keep_alive(int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else text)
