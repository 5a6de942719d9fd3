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
_PIECE = re.compile(r"[a-zA-Z]+|\d|\s*\n\s*|[^\W\d_]|[^\w\s]|_")
# Words longer than this are cut into pieces of about that length by byte-pair tokenizers.
_LETTERS_PER_TOKEN = 7


def count_tokens(text: str) -> int:
    """About as many tokens as a byte-pair tokenizer makes of a text, rather one too many than one too few."""
    return sum(math.ceil(len(piece) / _LETTERS_PER_TOKEN) if piece.isalpha() else 1 for piece in _PIECE.findall(text))


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


def fit_prompt(messages: Sequence[Message], tools: Sequence[Any], context: int, truncate: bool = True) -> Prompt:
    """Drop the oldest messages until the rest fits a context in tokens; system prompts and the last message stay.

    Tools are part of the prompt. Raises OllamaError (400) when even the last message does not fit, or nothing may
    be dropped (`truncate` false).
    """
    fixed = _ANSWER_TOKENS + (count_tokens(json.dumps(list(tools))) if tools else 0)
    sizes = [_message_tokens(message) for message in messages]
    for start in range(len(messages) if truncate else 1):
        kept = [i for i, message in enumerate(messages) if i >= start or message.get("role") == "system"]
        tokens = fixed + sum(sizes[i] for i in kept)
        if tokens <= context:
            dropped = tuple(message for i, message in enumerate(messages) if i not in kept)
            return Prompt(tuple(messages[i] for i in kept), dropped, tokens)
    raise _exceeds_context(tokens, context)
