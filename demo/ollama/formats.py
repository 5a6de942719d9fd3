"""JSON of the form that a request's `format` asks for: the smallest that is of that form."""

import json
from typing import Any

_DEEPEST = 12
_FALLBACK: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None, "array": [], "object": {}}


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Any = root
    for part in reference[2:].split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _string(schema: dict[str, Any], text: str) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    text = text.ljust(least, ".") if isinstance(least, int) else text
    return text[:most] if isinstance(most, int) else text


def _value(schema: Any, text: str, root: dict[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict):
        return text
    schema = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(choice), list) and schema[choice] and depth < _DEEPEST:
            return _value(schema[choice][0], text, root, depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    properties = schema.get("properties")
    if depth >= _DEEPEST:
        return _FALLBACK.get(str(kind), text)
    if isinstance(properties, dict):
        return {name: _value(inner, text, root, depth + 1) for name, inner in properties.items()}
    if kind == "array":
        least = schema.get("minItems", 1)
        return [_value(schema.get("items"), text, root, depth + 1)] * (least if isinstance(least, int) else 1)
    if kind in ("integer", "number") and isinstance(schema.get("minimum"), int | float):
        return schema["minimum"]
    return _string(schema, text) if kind in ("string", None) else _FALLBACK.get(str(kind), text)


def in_format(wanted: Any, text: str) -> str:
    """A JSON text of the wanted form, "json" or a JSON schema, with `text` where a string belongs."""
    if isinstance(wanted, dict):
        return json.dumps(_value(wanted, text, wanted, 0))
    try:
        json.loads(text)
    except ValueError:
        return json.dumps({"answer": text})
    return text
