"""What the demo engine says in place of a model."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message, in Ollama's or OpenAI's form."""
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                return " ".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
            return str(content or "")
    return ""


def _for_open_webui(text: str) -> str | None:
    """Open WebUI asks for titles, tags and the like as JSON; answer in that form."""
    if "### Task:" not in text:
        return None
    for word, value in (("follow_ups", []), ("title", "Demo chat"), ("tags", ["Demo"]), ("queries", [])):
        if f'"{word}"' in text:
            return json.dumps({word: value})
    return None


def reply(model: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """An answer that says plainly that no model gave it."""
    text = last_user_text(messages)
    task = _for_open_webui(text)
    if task is not None:
        return task
    tool_results = [str(message.get("content")) for message in messages if message.get("role") == "tool"]
    used = f" A tool answered: {tool_results[-1][:200]}." if tool_results else ""
    words = len(text.split())
    return (
        f"[Demo engine] This is {model}, a stand-in without a real model behind it. Your message of {words} "
        f"word{'' if words == 1 else 's'} reached it.{used} Install Ollama to get real answers."
    )


def tool_call(tools: Sequence[Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]) -> str | None:
    """The name of the tool to call: one that the last message names, if its result is not there yet."""
    if messages and messages[-1].get("role") == "tool":
        return None
    text = last_user_text(messages)
    for tool in tools:
        function = tool.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if isinstance(name, str) and re.search(rf"\b{re.escape(name)}\b", text):
            return name
    return None


def pieces(text: str) -> list[str]:
    """A text cut into the pieces in which it is streamed: words with the space before them."""
    return re.findall(r"\s*\S+", text)


def count_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Roughly how many tokens messages take: four characters each."""
    return max(1, sum(len(str(message.get("content") or "")) for message in messages) // 4)
