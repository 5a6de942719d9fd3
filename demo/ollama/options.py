"""The `options` of a request: their types as Ollama checks them, and those that a model is loaded with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from demo.ollama.errors import OllamaError

# api/types.go, Options and Runner: what each option must be. Options that Ollama does not know are passed over.
_INTEGERS = frozenset(
    "num_ctx num_batch num_gpu main_gpu num_thread num_keep seed num_predict top_k repeat_last_n".split()
)
_NUMBERS = frozenset("top_p min_p typical_p temperature repeat_penalty presence_penalty frequency_penalty".split())
# A context has room for a few tokens at least, and that of a model that sees for an image.
_LEAST_CONTEXT, _LEAST_CONTEXT_WITH_IMAGES = 4, 2_048


@dataclass(frozen=True)
class RunnerOptions:
    """What a model is loaded with: a change of any of it loads the model anew (server/sched.go, needsReload)."""

    num_ctx: int
    num_batch: int | None = None
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool | None = None
    num_thread: int = 0
    shift: bool = True

    def needs_reload(self, wanted: "RunnerOptions") -> bool:
        """Whether a model loaded with these options must be loaded anew for others. Negative num_gpu is no wish."""
        return replace(self, num_gpu=wanted.num_gpu) != wanted if wanted.num_gpu < 0 else self != wanted


@dataclass(frozen=True)
class Options:
    """The options of one request, as far as the double heeds them."""

    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool | None = None
    num_thread: int = 0
    num_predict: int = -1
    stop: tuple[str, ...] = ()

    def runner(self, default_context: int, window: int, sees: bool, shift: bool) -> RunnerOptions:
        """What to load a model with whose own window is `window` tokens."""
        context = max(self.num_ctx or default_context, _LEAST_CONTEXT_WITH_IMAGES if sees else _LEAST_CONTEXT)
        return RunnerOptions(
            min(context, window), self.num_batch, self.num_gpu, self.main_gpu, self.use_mmap, self.num_thread, shift
        )


def _checked(name: str, value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _INTEGERS:
        if not is_number:
            raise OllamaError(500, f'option "{name}" must be of type integer')
        return int(value)
    if name in _NUMBERS and not is_number:
        raise OllamaError(500, f'option "{name}" must be of type float32')
    if name == "use_mmap" and not isinstance(value, bool):
        raise OllamaError(500, f'option "{name}" must be of type boolean')
    if name == "stop":
        if not isinstance(value, list):
            raise OllamaError(500, f'option "{name}" must be of type array')
        if not all(isinstance(item, str) for item in value):
            raise OllamaError(500, f'option "{name}" must be of an array of strings')
        return tuple(value)
    return value


def read_options(given: Mapping[str, Any]) -> Options:
    """Options out of a request. Raises OllamaError as Ollama would."""
    checked = {name: _checked(name, value) for name, value in given.items() if value is not None}
    return Options(**{name: value for name, value in checked.items() if name in Options.__dataclass_fields__})
