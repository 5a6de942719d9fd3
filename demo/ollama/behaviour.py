"""How the double behaves: Ollama's settings, the machine it pretends to be on, its speed, and what it gets wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from demo.ollama.memory import Placement

GIB = 1024**3
# How much memory on the GPU gives which context to a request that asks for none: server/routes.go.
_CONTEXT_BY_GIB = ((47.0, 262_144), (23.0, 32_768), (0.0, 4_096))
# Without OLLAMA_MAX_LOADED_MODELS: three for each GPU, and as many without one (server/sched.go).
_MODELS_PER_GPU = 3


@dataclass
class Behaviour:
    """How the double behaves. Tests change this while it runs.

    Nothing waits unless `time_scale` says so: 1 is the pace of the machine, 0 answers at once. The durations that
    answers report are the machine's either way.
    """

    # Ollama's settings: OLLAMA_CONTEXT_LENGTH, _NUM_PARALLEL, _MAX_QUEUE, _MAX_LOADED_MODELS, _KEEP_ALIVE (seconds).
    context_length: int | None = None
    num_parallel: int = 1
    max_queue: int = 512
    max_loaded_models: int = 0
    keep_alive: float = 300.0

    # The machine: its GPU's memory (0 is no GPU), and bytes a second when loading and when reading weights to answer.
    gpu_memory_gib: float = 24.0
    load_bytes_per_second: float = 4e9
    gpu_bytes_per_second: float = 600e9
    cpu_bytes_per_second: float = 40e9
    time_scale: float = 0.0
    clock: Callable[[], float] = time.monotonic

    # What it is to get wrong. `seconds_per_piece` is for a model of 10^9 parameters, and takes the machine's place.
    seconds_per_piece: float = 0.0
    cut_stream_after: int | None = None
    fail_stream_with: str | None = None
    refuse_with: str | None = None

    # What it has seen: every request's path and body with what became of it (see `record`), the models loaded, in
    # order, and how many answers were broken off by who asked.
    requests: list[dict[str, Any]] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    stopped_early: int = 0

    @property
    def gpu_bytes(self) -> int:
        """The memory of the GPU in bytes."""
        return int(self.gpu_memory_gib * GIB)

    @property
    def default_context(self) -> int:
        """The context, in tokens, of a request that asks for none."""
        if self.context_length:
            return self.context_length
        return next(tokens for gib, tokens in _CONTEXT_BY_GIB if self.gpu_memory_gib >= gib)

    @property
    def most_models(self) -> int:
        """How many models may be loaded at once."""
        return self.max_loaded_models or _MODELS_PER_GPU

    def token_seconds(self, placement: Placement) -> float:
        """How long a token of the answer takes: all of the model is read once, and what has spilled slowly."""
        on_cpu = placement.size - placement.size_vram
        return placement.size_vram / self.gpu_bytes_per_second + on_cpu / self.cpu_bytes_per_second

    def record(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a request; returns its entry.

        Once the request has been processed the entry also holds `dropped_messages` (those that did not fit, with
        their roles), `prompt_tokens`, `context_length` and `loaded_anew` (whether the model was loaded for it).
        """
        entry = {**body, "path": path}
        self.requests.append(entry)
        return entry
