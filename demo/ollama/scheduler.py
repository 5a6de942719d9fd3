"""Which models are loaded, with what, until when; who waits, and who must go. After Ollama's server/sched.go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from demo.ollama.behaviour import Behaviour
from demo.ollama.errors import OllamaError
from demo.ollama.memory import Placement, fits_beside_others, place
from demo.ollama.models import DemoModel
from demo.ollama.options import RunnerOptions

BUSY = "server busy, please try again.  maximum pending requests exceeded"
# Families that the engine runs one request at a time with, whatever OLLAMA_NUM_PARALLEL says.
_NEVER_PARALLEL = frozenset("mllama qwen3vl qwen3vlmoe qwen35 qwen35moe qwen3next lfm2 lfm2moe nemotron_h".split())


@dataclass
class Loaded:
    """A model in memory. `expires_at` is on the double's clock; `keep_alive` in seconds; `serving` in requests."""

    model: DemoModel
    runner: RunnerOptions
    placement: Placement
    keep_alive: float
    expires_at: float
    used_at: float
    slots: asyncio.Semaphore
    serving: int = 0


@dataclass(frozen=True)
class Grant:
    """What a request was given: the model, whether it was loaded for it, and how long that takes in seconds."""

    loaded: Loaded
    loaded_anew: bool
    load_seconds: float


@dataclass
class Scheduler:
    """Loads models when they are asked for, one at a time, and unloads them when their time is up or room is needed.

    `max_queue` counts all who wait, for a model to be loaded or for one of its slots.
    """

    behaviour: Behaviour
    _loaded: dict[str, Loaded] = field(default_factory=dict)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: int = 0

    def loaded(self) -> list[Loaded]:
        """The models in memory now, the one that expires last first."""
        now = self.behaviour.clock()
        for path, entry in list(self._loaded.items()):
            if not entry.serving and entry.expires_at <= now:
                del self._loaded[path]
        by_use = sorted(self._loaded.values(), key=lambda entry: -entry.used_at)
        # Ollama compares whole seconds, so what was used at about the same time stays in order of use.
        return sorted(by_use, key=lambda entry: -int(entry.expires_at))

    def unload(self, model: DemoModel) -> None:
        """Unload a model, at once if it is idle and otherwise when it has finished."""
        entry = self._loaded.get(model.path)
        if entry is not None:
            self._end(entry)

    @asynccontextmanager
    async def use(self, model: DemoModel, wanted: RunnerOptions, keep_alive: float | None) -> AsyncIterator[Grant]:
        """Have a model loaded, and one of its slots, for one request. Raises OllamaError if too many wait.

        A `keep_alive` stays until another is given or the model is loaded anew.
        """
        grant = await self._referenced(model, wanted, keep_alive)
        entry = grant.loaded
        try:
            async with self._queued(entry.slots):
                yield grant
        finally:
            entry.serving -= 1
            entry.used_at = self.behaviour.clock()
            entry.expires_at = entry.used_at + entry.keep_alive
            self.loaded()
            self._tell()

    async def _referenced(self, model: DemoModel, wanted: RunnerOptions, keep_alive: float | None) -> Grant:
        entry = self._usable(model, wanted)
        if entry is not None:
            return self._refer(Grant(entry, False, 0.0), keep_alive)
        async with self._queued(self._loading):
            grant = await self._load(model, wanted)
            return self._refer(grant, keep_alive)

    def _refer(self, grant: Grant, keep_alive: float | None) -> Grant:
        grant.loaded.serving += 1
        if keep_alive is not None:
            grant.loaded.keep_alive = keep_alive
        return grant

    @asynccontextmanager
    async def _queued(self, turn: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        if turn.locked():
            if self._waiting >= self.behaviour.max_queue:
                raise OllamaError(503, BUSY)
            self._waiting += 1
            try:
                await turn.acquire()
            finally:
                self._waiting -= 1
        else:
            await turn.acquire()
        try:
            yield
        finally:
            turn.release()

    def _usable(self, model: DemoModel, wanted: RunnerOptions) -> Loaded | None:
        self.loaded()
        entry = self._loaded.get(model.path)
        return entry if entry is not None and not entry.runner.needs_reload(wanted) else None

    async def _load(self, model: DemoModel, wanted: RunnerOptions) -> Grant:
        """Load a model once there is room, which who is serving may hold up."""
        while (entry := self._usable(model, wanted)) is None and (victim := self._victim(model, wanted)) is not None:
            if self._end(victim):
                await self._changed.wait()
        if entry is not None:
            return Grant(entry, False, 0.0)
        behaviour = self.behaviour
        parallel = self._parallel(model)
        placement = place(model, wanted, parallel, self._free())
        seconds = model.size / behaviour.load_bytes_per_second
        await asyncio.sleep(seconds * behaviour.time_scale)
        now = behaviour.clock()
        keep_alive = behaviour.keep_alive
        entry = Loaded(model, wanted, placement, keep_alive, now + keep_alive, now, asyncio.Semaphore(parallel))
        self._loaded[model.path] = entry
        behaviour.loads.append(model.name)
        return Grant(entry, True, seconds)

    def _victim(self, model: DemoModel, wanted: RunnerOptions) -> Loaded | None:
        """Which model must go before another is loaded: the shortest keep_alive, then the path; an idle one first."""
        others = list(self._loaded.values())
        if model.path in self._loaded:
            return self._loaded[model.path]
        free = self._free()
        on_gpu = free is not None and wanted.num_gpu != 0
        fits = not on_gpu or free is None or fits_beside_others(model, wanted, self._parallel(model), free)
        if not others or (fits and len(others) < self.behaviour.most_models):
            return None
        return min(others, key=lambda entry: (entry.serving > 0, entry.keep_alive, entry.model.path))

    def _free(self) -> int | None:
        if not self.behaviour.gpu_bytes:
            return None
        return max(0, self.behaviour.gpu_bytes - sum(entry.placement.taken_from_gpu for entry in self._loaded.values()))

    def _parallel(self, model: DemoModel) -> int:
        alone = model.architecture.family in _NEVER_PARALLEL or "completion" not in model.capabilities
        return 1 if alone else max(1, self.behaviour.num_parallel)

    def _end(self, entry: Loaded) -> bool:
        """Unload at once if idle; returns whether that must wait for who is being served."""
        entry.keep_alive = 0.0
        if entry.serving:
            return True
        self._loaded.pop(entry.model.path, None)
        self._tell()
        return False

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
