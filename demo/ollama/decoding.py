"""Requests, read as Ollama reads them: with Go's JSON decoder, whose words are in the errors."""

import json
from typing import Any

from fastapi import Request

from demo.ollama.errors import OllamaError

_JSON_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
# Fields of Ollama's requests with the Go types that they must have; those not named here take anything.
# https://github.com/ollama/ollama/blob/main/api/types.go
_FIELDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "model": (str, "string"),
    "messages": (list, "[]api.Message"),
    "prompt": (str, "string"),
    "system": (str, "string"),
    "suffix": (str, "string"),
    "stream": (bool, "bool"),
    "tools": (list, "api.Tools"),
    "options": (dict, "map[string]interface {}"),
    "images": (list, "[]api.ImageData"),
    "truncate": (bool, "bool"),
    "logprobs": (bool, "bool"),
    "top_logprobs": (int, "int"),
}
_MESSAGE_FIELDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "role": (str, "string"),
    "content": (str, "string"),
    "images": (list, "[]api.ImageData"),
    "tool_calls": (list, "[]api.ToolCall"),
}


def _cannot_unmarshal(value: Any, where: str, go_type: str) -> OllamaError:
    name = _JSON_NAMES.get(type(value), "value")
    return OllamaError(400, f"json: cannot unmarshal {name} into Go {where} of type {go_type}")


def _is(value: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not (isinstance(value, bool) and kinds is int)


async def read_body(request: Request, struct: str) -> dict[str, Any]:
    """The body of a request as a mapping; `struct` is Go's name of it. Raises OllamaError (400)."""
    raw = await request.body()
    if not raw.strip():
        raise OllamaError(400, "missing request body")
    try:
        body = json.loads(raw)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or not error.doc[error.pos :].strip():
            raise OllamaError(400, "unexpected EOF") from error
        # Python stops at the token, Go at the character.
        character = error.doc[error.pos]
        raise OllamaError(400, f"invalid character '{character}' looking for beginning of value") from error
    except UnicodeDecodeError as error:
        raise OllamaError(400, "invalid character looking for beginning of value") from error
    if not isinstance(body, dict):
        raise _cannot_unmarshal(body, "value", f"api.{struct}")
    for name, (kinds, go_type) in _FIELDS.items():
        value = body.get(name)
        if value is not None and not _is(value, kinds):
            raise _cannot_unmarshal(value, f"struct field {struct}.{name}", go_type)
    for message in body.get("messages") or []:
        if not isinstance(message, dict):
            raise _cannot_unmarshal(message, f"struct field {struct}.messages", "api.Message")
        for name, (kinds, go_type) in _MESSAGE_FIELDS.items():
            value = message.get(name)
            if value is not None and not _is(value, kinds):
                raise _cannot_unmarshal(value, f"struct field {struct}.messages.{name}", go_type)
    return body
