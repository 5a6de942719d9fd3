"""Reading a request's JSON as Go's decoder does, with its errors (https://pkg.go.dev/encoding/json).

Names match in upper and lower case, null leaves a field as it is, and what follows the first value is not read. Fields
that Ollama does not know are kept, for the record of what was asked.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from demo.ollama.durations import parse_keep_alive
from demo.ollama.errors import OllamaError

_KINDS = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
_EXPECTED = {
    "Expecting ',' delimiter": "after object key:value pair",
    "Expecting ':' delimiter": "after object key",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
}
_LEVELS = '"high", "medium", "low", "max", true, or false'
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n")


@dataclass(frozen=True)
class Place:
    """Where a value stands: Go's name of the outermost type, and the fields down to the value."""

    struct: str
    path: str = ""

    def inner(self, name: str) -> "Place":
        """The place of a field."""
        return Place(self.struct, f"{self.path}.{name}" if self.path else name)

    def mismatch(self, value: Any, go_type: str) -> OllamaError:
        """The error for a value that is not of a Go type."""
        kind = _KINDS.get(type(value), "value")
        if kind == "number" and go_type == "int":
            kind = f"number {value}"
        if not self.path:
            return OllamaError(400, f"json: cannot unmarshal {kind} into Go value of type {go_type}")
        where = f"Go struct field {self.struct}.{self.path}"
        return OllamaError(400, f"json: cannot unmarshal {kind} into {where} of type {go_type}")


# Reads a value at a place. Raises OllamaError if it is not of the right kind.
Reader = Callable[[Any, Place], Any]


def _of(kind: type, go_type: str) -> Reader:
    def read(value: Any, place: Place) -> Any:
        if type(value) is not kind:
            raise place.mismatch(value, go_type)
        return value

    return read


string, boolean, integer = _of(str, "string"), _of(bool, "bool"), _of(int, "int")
mapping = _of(dict, "map[string]interface {}")


def items(element: Reader, go_type: str) -> Reader:
    """A list of values of one kind."""

    def read(value: Any, place: Place) -> list[Any]:
        if not isinstance(value, list):
            raise place.mismatch(value, go_type)
        return [element(item, place) for item in value]

    return read


def struct(fields: Mapping[str, Reader], go_type: str) -> Reader:
    """An object with fields of given kinds; others are kept as they are."""

    def read(value: Any, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise place.mismatch(value, go_type)
        found: dict[str, Any] = {}
        for key, inner in value.items():
            name = key if key in fields or key.lower() not in fields else key.lower()
            if name not in fields:
                found[name] = inner
            elif inner is not None:
                found[name] = fields[name](inner, place.inner(name))
        return found

    return read


def image(value: Any, place: Place) -> str:
    """An image in base64."""
    text: str = string(value, place)
    wrong = next((position for position, character in enumerate(text) if character not in _BASE64), None)
    if wrong is None and len(text.replace("\n", "").replace("\r", "")) % 4:
        wrong = len(text) // 4 * 4
    if wrong is not None:
        raise OllamaError(400, f"illegal base64 data at input byte {wrong}")
    return text


def keep_alive(value: Any, _place: Place) -> Any:
    """A keep_alive, which is left as it was written."""
    try:
        parse_keep_alive(value)
    except ValueError as error:
        raise OllamaError(400, str(error)) from error
    return value


def thinking(value: Any, _place: Place) -> Any:
    """Whether to think: true, false or how hard."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise OllamaError(400, f"think must be a boolean or string ({_LEVELS})")
    if value not in ("high", "medium", "low", "max"):
        raise OllamaError(400, f'invalid think value: "{value}" (must be {_LEVELS})')
    return value


def _number(text: str) -> float:
    raise json.JSONDecodeError("Expecting value", text, 0)


def read_json(raw: bytes) -> Any:
    """The first JSON value of a body. Raises OllamaError with Go's words if there is none."""
    text = raw.decode("utf-8", "replace").lstrip()
    if not text:
        raise OllamaError(400, "missing request body")
    try:
        return json.JSONDecoder(parse_constant=_number).raw_decode(text)[0]
    except json.JSONDecodeError as error:
        at = error.doc[error.pos :].lstrip()
        if not at or error.msg.startswith("Unterminated"):
            raise OllamaError(400, "unexpected EOF") from error
        expected = _EXPECTED.get(error.msg.split(":", 1)[0], "looking for beginning of value")
        raise OllamaError(400, f"invalid character '{at[0]}' {expected}") from error
    except RecursionError as error:
        raise OllamaError(400, "exceeded max depth") from error


# api/types.go: the fields that must be of a kind. Those not named here take anything.
_TOOL_CALL = struct({"function": mapping}, "api.ToolCall")
_MESSAGE = struct(
    {
        "role": string,
        "content": string,
        "thinking": string,
        "images": items(image, "[]api.ImageData"),
        "tool_calls": items(_TOOL_CALL, "[]api.ToolCall"),
    },
    "api.Message",
)
_FIELDS: dict[str, Reader] = {
    "model": string,
    "messages": items(_MESSAGE, "[]api.Message"),
    "prompt": string,
    "system": string,
    "suffix": string,
    "stream": boolean,
    "tools": items(struct({"function": mapping}, "api.Tool"), "api.Tools"),
    "options": mapping,
    "images": items(image, "[]api.ImageData"),
    "think": thinking,
    "keep_alive": keep_alive,
    "truncate": boolean,
    "shift": boolean,
    "logprobs": boolean,
    "top_logprobs": integer,
    "dimensions": integer,
    "verbose": boolean,
}


async def read_body(request: Request, name: str) -> dict[str, Any]:
    """The body of a request as a mapping; `name` is Go's name of its type. Raises OllamaError (400)."""
    body: dict[str, Any] = struct(_FIELDS, f"api.{name}")(read_json(await request.body()), Place(name))
    return body
