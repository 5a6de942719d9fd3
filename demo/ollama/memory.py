"""How much memory a model takes, and how much of it lies on the GPU.

Sources: llama.cpp `src/llama-context.cpp`, `src/llama-kv-cache.cpp`, `src/llama-kv-cache-iswa.cpp` and
`common/fit.cpp`; Ollama `server/sched.go` and `llm/llama_server.go`. All sizes are in bytes.
"""

from dataclasses import dataclass

from demo.ollama.models import Architecture, DemoModel
from demo.ollama.options import RunnerOptions

MIB = 1024**2
GIB = 1024**3
# What each loaded model takes on the GPU for CUDA itself, and what llama.cpp leaves free on a device.
CUDA_CONTEXT = 420 * MIB
LEFT_FREE = 1024 * MIB

_F16 = 2
_CELLS_ARE_MULTIPLES_OF = 256
# Of what is free, the part that Ollama's prediction may take beside other models.
_PART_OF_FREE = 0.8
_SMALLEST_BATCH = 512
# Larger batches: above which context, how large, how much more room Ollama grants them, in what part of what is free.
_LARGER_BATCHES = ((32_768, 2_048, 2 * GIB, 0.60), (4_096, 1_024, 768 * MIB, 0.75))
# Bits an element takes in GGUF's types.
BITS = {"F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_K": 5.5, "Q5_0": 5.5, "Q4_K": 4.5}


@dataclass(frozen=True)
class Placement:
    """Where a loaded model lies: all that it takes, and the part of it on the GPU."""

    size: int
    size_vram: int

    @property
    def taken_from_gpu(self) -> int:
        """What the GPU has less while the model is loaded."""
        return self.size_vram + CUDA_CONTEXT if self.size_vram else 0


def _padded(tokens: int) -> int:
    return -(-tokens // _CELLS_ARE_MULTIPLES_OF) * _CELLS_ARE_MULTIPLES_OF


def key_value_heads(architecture: Architecture) -> tuple[int, ...]:
    """Heads with keys and values, layer by layer; none in an encoder."""
    heads = architecture.head_count_kv
    if isinstance(heads, tuple):
        return heads
    return (heads or 0,) * architecture.block_count


def _has_window(architecture: Architecture, layer: int) -> bool:
    if architecture.sliding_window is None:
        return False
    every = architecture.full_attention_every
    return every is None or (layer + 1) % every != 0


def key_value_cache(architecture: Architecture, context: int, parallel: int, batch: int) -> int:
    """The cache of keys and values in 16 bits, for `parallel` contexts of so many tokens, layer by layer.

    A layer with a window keeps the window and one batch.
    """
    element_count = (architecture.key_length or architecture.head_length) + (
        architecture.value_length or architecture.head_length
    )
    cells = 0
    for layer, heads in enumerate(key_value_heads(architecture)):
        length = context
        if _has_window(architecture, layer) and architecture.sliding_window is not None:
            length = min(context, architecture.sliding_window + batch)
        cells += heads * _padded(length) * parallel
    return cells * element_count * _F16


def compute_buffer(architecture: Architecture, context: int, parallel: int, batch: int) -> int:
    """The scratch memory for one batch: for the attention's mask and the feed-forward layer."""
    cells = _padded(context) * parallel if architecture.head_count_kv is not None else 0
    return int(batch * (2 * cells + 14.4 * architecture.feed_forward_length))


def weights_on_gpu(model: DemoModel) -> int:
    """The file, less the embedding where it is not the output layer too: then it stays on the CPU."""
    architecture = model.architecture
    if architecture.tied:
        return model.size
    elements = architecture.vocabulary * architecture.embedding_length
    return max(0, model.size - int(elements * BITS.get(model.embedding_type, 16.0) / 8))


def predicted(model: DemoModel, context: int, parallel: int) -> int:
    """What Ollama expects a model to take before it has loaded it.

    A rough guess by design: the file, and a cache of all layers with the fewest heads of any, without windows.
    """
    architecture = model.architecture
    heads = min(key_value_heads(architecture), default=0)
    return model.size + 2 * architecture.block_count * heads * architecture.head_length * context * parallel * _F16


def batch_size(wanted: RunnerOptions, expected: int, available: int | None) -> int:
    """Tokens of a batch: as asked for, or larger for longer contexts if there is room. `available` None is no GPU."""
    if wanted.num_batch:
        return min(wanted.num_batch, wanted.num_ctx)
    for above, batch, more, part in _LARGER_BATCHES:
        if wanted.num_ctx > above and (available is None or expected + more <= available * part):
            return batch
    return _SMALLEST_BATCH


def fits_beside_others(model: DemoModel, wanted: RunnerOptions, parallel: int, free: int) -> bool:
    """Whether Ollama expects a model to fit into what the others have left of the GPU."""
    expected = predicted(model, wanted.num_ctx, parallel)
    batch = batch_size(wanted, expected, free)
    surcharge = next((more for _, size, more, _ in _LARGER_BATCHES if batch >= size), 0)
    return expected + surcharge <= free * _PART_OF_FREE


def place(model: DemoModel, wanted: RunnerOptions, parallel: int, free: int | None) -> Placement:
    """Where a model comes to lie, with so much of the GPU free; None is no GPU.

    What does not fit goes to the CPU layer by layer, and so does what `num_gpu` layers leave.
    """
    architecture = model.architecture
    batch = batch_size(wanted, predicted(model, wanted.num_ctx, parallel), free)
    cache = key_value_cache(architecture, wanted.num_ctx, parallel, batch)
    compute = compute_buffer(architecture, wanted.num_ctx, parallel, batch)
    if free is None or wanted.num_gpu == 0:
        return Placement(model.size + cache + compute, 0)
    layered = weights_on_gpu(model) + cache
    layers = architecture.block_count + 1
    on_gpu = layers
    if layered + compute > (room := free - CUDA_CONTEXT - LEFT_FREE):
        on_gpu = max(0, int((room - compute) * layers / layered))
    if wanted.num_gpu > 0:
        on_gpu = min(on_gpu, wanted.num_gpu)
    return Placement(layered + compute, layered * on_gpu // layers + compute if on_gpu else 0)
