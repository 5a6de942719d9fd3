"""Reading a streamed answer just far enough to know whether it came to its end."""

import json
from typing import Any

DONE = "[DONE]"


def event_payload(line: bytes | str) -> str:
    """The payload of one `data:` line of a server-sent event stream, or an empty string."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.strip()
    return text.removeprefix("data:").strip() if text.startswith("data:") else ""


def is_finish(payload: str) -> bool:
    """Whether a payload says that the model has finished, or why it did not (an error)."""
    # Nearly every chunk is a few letters of the answer: look for the words before parsing.
    if not any(word in payload for word in ('"finish_reason"', '"error"', "response.completed", "response.incomplete")):
        return False
    try:
        event: Any = json.loads(payload)
    except ValueError:
        return False
    if not isinstance(event, dict):
        return False
    if event.get("error") or event.get("type") in ("response.completed", "response.incomplete", "response.failed"):
        return True
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def error_event(sentence: str) -> str:
    """An error as an event of the stream, in the form that Open WebUI shows in the chat and saves with it."""
    return f"data: {json.dumps({'error': {'message': sentence}})}\n\n"
