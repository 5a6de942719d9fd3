"""Which models are loaded: Ollama's keep_alive, its limit on loaded models, and its order of eviction."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from demo.models import DemoModel

# Go's time.ParseDuration, whose units Ollama takes for keep_alive.
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_keep_alive(value: object) -> float:
    """Seconds of a keep_alive as Ollama takes it: seconds as a number, or a duration ("5m"); negative is for ever.

    Raises ValueError if it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("invalid keep_alive")
    if isinstance(value, int | float):
        return float("inf") if value < 0 else float(value)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", value)
    if not parts or "".join(number + unit for number, unit in parts) != value.lstrip("-"):
        raise ValueError(f'time: invalid duration "{value}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return float("inf") if value.startswith("-") else seconds


@dataclass
class Loaded:
    """A model in memory: until when (seconds of the monotonic clock), and how many requests it is serving."""

    model: DemoModel
    context_length: int
    expires_at: float
    last_used: float
    keep_alive: float
    serving: int = 0


class Scheduler:
    """Loads models on demand, at most `max_loaded` at once (OLLAMA_MAX_LOADED_MODELS).

    To make room it evicts the idle one whose time is up first, and waits while all are serving.
    """

    def __init__(self, max_loaded: int, keep_alive: float, load_seconds_per_billion: float) -> None:
        self._max_loaded = max_loaded
        self._keep_alive = keep_alive
        self._load_seconds_per_billion = load_seconds_per_billion
        self._loaded: dict[str, Loaded] = {}
        self._changed = asyncio.Condition()

    def loaded(self) -> list[Loaded]:
        """The models in memory now, the most recently used first."""
        now = time.monotonic()
        for name, entry in list(self._loaded.items()):
            if not entry.serving and entry.expires_at <= now:
                del self._loaded[name]
        return sorted(self._loaded.values(), key=lambda entry: -entry.last_used)

    def unload(self, model: DemoModel) -> None:
        """Unload a model, at once if it is idle and otherwise when it has finished."""
        entry = self._loaded.get(model.name)
        if entry is not None:
            entry.keep_alive = 0
            entry.expires_at = time.monotonic()
            self.loaded()

    @asynccontextmanager
    async def use(self, model: DemoModel, keep_alive: float | None, context_length: int) -> AsyncIterator[float]:
        """Have a model loaded for one request; yields the seconds that loading took (0 if it was loaded)."""
        started = time.monotonic()
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room_for(model))
            entry = self._loaded.get(model.name)
            must_load = entry is None or (entry.context_length < context_length and not entry.serving)
            if entry is None or must_load:
                now = time.monotonic()
                entry = Loaded(model, context_length, now, now, self._keep_alive)
                self._loaded[model.name] = entry
            entry.serving += 1
            entry.keep_alive = self._keep_alive if keep_alive is None else keep_alive
        try:
            if must_load:
                await asyncio.sleep(model.parameters_billion * self._load_seconds_per_billion)
            yield time.monotonic() - started if must_load else 0.0
        finally:
            entry.serving -= 1
            entry.last_used = time.monotonic()
            entry.expires_at = entry.last_used + entry.keep_alive
            self.loaded()
            async with self._changed:
                self._changed.notify_all()

    def _has_room_for(self, model: DemoModel) -> bool:
        loaded = self.loaded()
        if model.name in self._loaded or len(loaded) < self._max_loaded:
            return True
        idle = [entry for entry in loaded if not entry.serving]
        if not idle:
            return False
        del self._loaded[min(idle, key=lambda entry: (entry.expires_at, entry.last_used)).model.name]
        return True
