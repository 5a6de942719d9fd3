"""The line above an answer that says which model gave it and why."""

from collections.abc import Awaitable, Callable
from typing import Any

EventEmitter = Callable[[dict[str, Any]], Awaitable[None]]


async def show_status(emit: EventEmitter | None, sentence: str) -> None:
    """Show a sentence above the answer; without an emitter (a call through the API) there is nowhere to show it."""
    if emit is not None:
        await emit({"type": "status", "data": {"action": "rightsize", "description": sentence, "done": True}})
