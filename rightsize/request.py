"""A chat request as the rest of the core sees it, read from an OpenAI-style body."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rightsize.errors import EmptyMessage

# OpenAI's rule of thumb is four characters of English a token; counting UTF-8 bytes instead
# keeps it honest for scripts where one character is a token.
BYTES_PER_TOKEN = 4
# What Ollama counts for an image, whatever its size (server/prompt.go).
IMAGE_TOKENS = 768
# Room kept free for the answer, in tokens.
ANSWER_TOKENS = 1024

_ATTACHMENT_TYPES = {"image_url": "image", "input_image": "image", "image": "image"}
# RFC 2397. What merely begins with "data:" is text.
_BASE64_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=_-]*")
_TEXT_TYPES = {"text", "input_text", "output_text"}
# Keys whose values are names of the protocol, never a user's words.
_PROTOCOL_KEYS = frozenset({"role", "type", "id", "tool_call_id", "call_id", "index", "status", "model"})


@dataclass(frozen=True)
class Message:
    """One message: its text, all of its strings (tool calls and results too), and its attachments' kinds."""

    role: str
    text: str
    strings: tuple[str, ...]
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatRequest:
    """What was asked: the messages in order, and how many tokens the specifications of the tools on offer take.

    `typed` is what the user wrote last, where it is known apart from what was put around it.
    """

    messages: tuple[Message, ...]
    tool_tokens: int = 0
    typed: str = ""

    @property
    def offers_tools(self) -> bool:
        """Whether tools are on offer."""
        return self.tool_tokens > 0

    @property
    def questions(self) -> list[str]:
        """The texts of the user's messages in order, the last as it was typed where that is known.

        Retrieved documents and the instructions that go with them are put around the last one.
        """
        texts = [message.text for message in self.messages if message.role == "user" and message.text.strip()]
        if texts and self.typed.strip() and self.typed in texts[-1]:
            texts[-1] = self.typed
        return texts

    @property
    def attachments(self) -> tuple[str, ...]:
        """The kinds of all attachments, in order."""
        return tuple(kind for message in self.messages for kind in message.attachments)

    @property
    def has_images(self) -> bool:
        """Whether any message carries an image."""
        return "image" in self.attachments

    @property
    def tokens(self) -> int:
        """Estimated tokens of all the text and images, without the tools on offer."""
        text = _estimate_tokens(text for message in self.messages for text in message.strings)
        return text + IMAGE_TOKENS * self.attachments.count("image")

    @property
    def tokens_with_tools(self) -> int:
        """Estimated tokens of all that `tokens` counts and of the specifications of the tools on offer."""
        return self.tokens + self.tool_tokens


def _estimate_tokens(texts: Iterable[str]) -> int:
    return math.ceil(sum(len(text.encode("utf-8", "replace")) for text in texts) / BYTES_PER_TOKEN)


def _strings(value: Any, key: str = "") -> Iterator[str]:
    """Every string inside a message, except protocol names and base64 data."""
    if isinstance(value, str):
        if key not in _PROTOCOL_KEYS and not _BASE64_DATA.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        for inner_key, inner in value.items():
            yield from _strings(inner, str(inner_key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner, key)
    elif isinstance(value, int | float) and not isinstance(value, bool) and key not in _PROTOCOL_KEYS:
        # A number in a tool's result can be a telephone or an account number.
        yield json.dumps(value)


def _read_content(content: Any) -> tuple[str, tuple[str, ...]]:
    """The text and the attachments' kinds of a message's content."""
    if isinstance(content, str):
        return content, ()
    texts: list[str] = []
    attachments: list[str] = []
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, Mapping):
            continue
        kind = str(part.get("type", ""))
        if kind in _TEXT_TYPES:
            texts.append(str(part.get("text", "")))
        else:
            attachments.append(_ATTACHMENT_TYPES.get(kind, "file"))
    return "\n".join(texts), tuple(attachments)


def read_request(body: Mapping[str, Any], typed: str = "") -> ChatRequest:
    """Read an OpenAI-style chat completion body, however little there is in it; `typed` is as in ChatRequest."""
    messages = []
    for raw in body.get("messages") or []:
        if not isinstance(raw, Mapping):
            continue
        text, attachments = _read_content(raw.get("content"))
        # Ollama's own message format, as met after Open WebUI has converted a request.
        attachments += ("image",) * len(raw.get("images") or [])
        strings = tuple(_strings({key: value for key, value in raw.items() if key != "images"}))
        messages.append(Message(str(raw.get("role", "user")), text, strings, attachments))
    # A chat template writes the specifications into the prompt as the JSON that they come as.
    tools = body.get("tools")
    specifications = [json.dumps(tools, ensure_ascii=False, default=str)] if tools else []
    return ChatRequest(tuple(messages), tool_tokens=_estimate_tokens(specifications), typed=typed)


def parse_request(body: Mapping[str, Any], typed: str = "") -> ChatRequest:
    """Read a chat completion body that a model is to answer; `typed` is as in ChatRequest.

    Raises EmptyMessage when no message but a system prompt holds text or an attachment.
    """
    request = read_request(body, typed)
    if not any(message.text.strip() or message.attachments for message in request.messages if message.role != "system"):
        raise EmptyMessage
    return request
