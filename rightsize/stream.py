"""Streamed answers, read just far enough to know whether it came to its end."""

import json
from typing import Any

from rightsize.catalogue import Backend

DONE = "[DONE]"
# How the Responses API ends its stream: https://platform.openai.com/docs/api-reference/responses-streaming
_ENDS_OF_A_RESPONSE = ("response.completed", "response.incomplete", "response.failed")
_WORDS_OF_AN_END = (
    '"finish_reason"',
    '"usage"',
    '"error"',
    *_ENDS_OF_A_RESPONSE,
)


def event_payload(line: bytes | str) -> str:
    """The payload of one `data:` line of a server-sent event stream, or an empty string."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.strip()
    return text.removeprefix("data:").strip() if text.startswith("data:") else ""


def ends_answer(payload: str, backend: Backend) -> bool:
    """Whether a payload of a backend's stream says that the model has finished, or why it did not (an error)."""
    # Nearly every chunk is a few letters of the answer: look for the words before parsing.
    if not any(word in payload for word in _WORDS_OF_AN_END):
        return False
    try:
        event: Any = json.loads(payload)
    except ValueError:
        return False
    if not isinstance(event, dict):
        return False
    if event.get("error") or event.get("type") in _ENDS_OF_A_RESPONSE:
        return True
    if backend is Backend.OLLAMA:
        # Open WebUI turns every chunk of Ollama's without text, an error too, into one with the finish_reason "stop";
        # only the chunk in which Ollama itself says that it is done gets the usage.
        return bool(event.get("usage"))
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
    )


def error_event(sentence: str) -> str:
    """An error as an event of the stream, in the form that Open WebUI shows in the chat and saves with it."""
    return f"data: {json.dumps({'error': {'message': sentence}})}\n\n"


def read_ollama_line(line: bytes | str) -> tuple[bool, str]:
    """Whether a line of Ollama's own stream says that the model is done, and the error that it carries if any."""
    try:
        chunk: Any = json.loads(line)
    except ValueError:
        return False, ""
    if not isinstance(chunk, dict):
        return False, ""
    return chunk.get("done") is True, str(chunk.get("error") or "")


def last_ollama_line(model: str, sentence: str) -> str:
    """A line of Ollama's own stream that ends an answer with a sentence, in a paragraph of its own."""
    message = {"role": "assistant", "content": f"\n\n{sentence}"}
    return json.dumps({"model": model, "message": message, "done": True, "done_reason": "stop"}) + "\n"
