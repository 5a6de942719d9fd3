"""How many tokens a prompt takes, and what of it is dropped when it is too long.

https://github.com/ollama/ollama/blob/main/server/prompt.go
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.ollama.errors import OllamaError, engine_error

Message = Mapping[str, Any]

# What Ollama counts for an image, whatever its size.
IMAGE_TOKENS = 768
# The marks that a chat template puts around a message, and before the answer.
_MESSAGE_TOKENS, _ANSWER_TOKENS = 5, 3
# Letters that make a token, by script; the longest words of Latin script are cut shorter than everyday ones. Measured
# with Qwen2.5's tokenizer on English, German, Russian, Chinese, Japanese, Korean, code, JSON and tools' specifications,
# of which this counts 0.9 to 1.2 times as many (1.6 times of Japanese).
_EVERYDAY_WORD, _LETTERS_OF_LONG_WORDS = 7, 4.5
_LETTERS_PER_TOKEN = {"letters": 3.0, "han": 1.5, "hangul": 1.0, "marks": 3.0}
_PIECE = re.compile(
    r"(?P<latin>[a-zA-ZÀ-ɏ]+)|(?P<han>[\u3040-\u30ff\u3400-\u9fff]+)|(?P<hangul>[\uac00-\ud7af]+)|(?P<letters>[^\W\d_]+)"
    r"|(?P<one>\d|\s*\n\s*| {2,})|(?P<marks>(?:[^\w\s]|_)+)"
)


def _piece_tokens(piece: re.Match[str]) -> int:
    kind, length = str(piece.lastgroup), len(piece[0])
    if kind == "one" or (kind == "latin" and length <= _EVERYDAY_WORD):
        return 1
    return math.ceil(length / _LETTERS_PER_TOKEN.get(kind, _LETTERS_OF_LONG_WORDS))


def count_tokens(text: str) -> int:
    """About as many tokens as a byte-pair tokenizer makes of a text."""
    return sum(_piece_tokens(piece) for piece in _PIECE.finditer(text))


@dataclass(frozen=True)
class Prompt:
    """What a model gets to read: the messages left, those dropped, and the tokens of what is left."""

    messages: tuple[Message, ...]
    dropped: tuple[Message, ...]
    tokens: int


def _message_tokens(message: Message) -> int:
    text = str(message.get("content") or "")
    if message.get("tool_calls"):
        text += json.dumps(message["tool_calls"])
    return _MESSAGE_TOKENS + count_tokens(text) + IMAGE_TOKENS * len(message.get("images") or [])


def _exceeds_context(tokens: int, context: int) -> OllamaError:
    message = f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
    return engine_error(400, message, "exceed_context_size_error", n_prompt_tokens=tokens, n_ctx=context)


def _start_of_block(messages: Sequence[Message], index: int) -> int:
    """Where to cut before a message: a tool's answer takes the call with it that it answers."""
    start = index
    while start > 0 and messages[start].get("role") == "tool":
        start -= 1
    called = messages[start].get("role") == "assistant" and messages[start].get("tool_calls")
    return start if called else index


def fit_prompt(messages: Sequence[Message], tools: Sequence[Any], context: int, truncate: bool = True) -> Prompt:
    """Drop the oldest messages until the rest fits a context in tokens; system prompts and the last message stay.

    Tools are part of the prompt. Raises OllamaError (400) when even the last message does not fit, or nothing may
    be dropped (`truncate` false), and as the engine does when the prompt leaves no room for an answer.
    """
    fixed = _ANSWER_TOKENS + (count_tokens(json.dumps(list(tools))) if tools else 0)
    sizes = [_message_tokens(message) for message in messages]
    for index in range(len(messages) if truncate else 1):
        start = _start_of_block(messages, index)
        kept = [i for i, message in enumerate(messages) if i >= start or message.get("role") == "system"]
        tokens = fixed + sum(sizes[i] for i in kept)
        if tokens == context:
            break
        if tokens < context:
            dropped = tuple(message for i, message in enumerate(messages) if i not in kept)
            return Prompt(tuple(messages[i] for i in kept), dropped, tokens)
    raise _exceeds_context(tokens, context)
