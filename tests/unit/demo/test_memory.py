"""How much memory the double says its models take."""

import pytest

from demo.ollama.memory import key_value_cache, place, weights_on_gpu
from demo.ollama.options import RunnerOptions
from tests.unit.demo.build import EMBED, LARGE, MINI, SMALL, model

GIB = 1024**3


def test_keys_and_values_are_counted_layer_by_layer() -> None:
    # Llama 3.2 3B: 28 layers of 8 heads with 2 x 128 numbers of two bytes.
    assert key_value_cache(model(SMALL).architecture, 4096, 1, 512) == 28 * 8 * 256 * 2 * 4096
    assert key_value_cache(model(SMALL).architecture, 4096, 2, 512) == 2 * 28 * 8 * 256 * 2 * 4096
    # A context is filled up to a multiple of 256.
    assert key_value_cache(model(SMALL).architecture, 4097, 1, 512) == 28 * 8 * 256 * 2 * 4352


def test_layers_with_a_window_keep_the_window_alone() -> None:
    network = model(MINI).architecture
    full, windows = 4, 22
    per_cell = 512 * 2
    assert key_value_cache(network, 32_768, 1, 1024) == per_cell * (full * 32_768 + windows * (512 + 1024))
    assert key_value_cache(network, 512, 1, 512) == per_cell * 26 * 512


def test_an_encoder_keeps_none() -> None:
    assert key_value_cache(model(EMBED).architecture, 8192, 1, 512) == 0


def test_the_embedding_stays_on_the_cpu_unless_it_is_the_output_too() -> None:
    assert weights_on_gpu(model(SMALL)) == model(SMALL).size
    assert weights_on_gpu(model(LARGE)) < model(LARGE).size


@pytest.mark.parametrize(("free", "fits"), [(None, False), (4 * GIB, True), (1 * GIB, False)])
def test_what_does_not_fit_lies_on_the_cpu(free: int | None, fits: bool) -> None:
    placed = place(model(SMALL), RunnerOptions(4096), 1, free)
    assert (placed.size_vram == placed.size) == fits
    assert placed.size_vram <= (free or 0)
