"""Parameters in each backend's own form."""

from typing import Any

import pytest

from rightsize.catalogue import Backend
from rightsize.parameters import asked_context_window, shape_parameters

BODY = {
    "model": "m",
    "temperature": 0.5,
    "num_ctx": 8192,
    "top_k": 40,
    "num_predict": 100,
    "tools": [1],
    "stream": True,
}


def test_ollama_takes_all_under_options() -> None:
    shaped = shape_parameters(BODY, Backend.OLLAMA, 16_384)
    assert shaped["options"] == {"temperature": 0.5, "num_ctx": 16_384, "top_k": 40, "num_predict": 100}
    assert shaped["tools"] == [1]
    assert "temperature" not in shaped


def test_an_openai_server_is_spared_what_it_does_not_know() -> None:
    shaped = shape_parameters(BODY, Backend.OPENAI, None)
    assert shaped == {"model": "m", "temperature": 0.5, "max_tokens": 100, "tools": [1], "stream": True}


def test_explicit_options_win_and_the_body_is_left_as_it_was() -> None:
    body = {"temperature": 0.5, "options": {"temperature": 0.1}}
    assert shape_parameters(body, Backend.OLLAMA, None) == {"options": {"temperature": 0.1}}
    assert body == {"temperature": 0.5, "options": {"temperature": 0.1}}


def test_nothing_given_nothing_sent() -> None:
    assert shape_parameters({"model": "m", "options": "nonsense"}, Backend.OLLAMA, None) == {"model": "m"}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"num_ctx": 8192}, 8192),
        ({"options": {"num_ctx": 4096}}, 4096),
        ({"num_ctx": "8192"}, None),
        ({"num_ctx": -1}, None),
        ({"options": []}, None),
        ({}, None),
    ],
)
def test_the_context_window_asked_for(body: dict[str, Any], tokens: int | None) -> None:
    assert asked_context_window(body) == tokens
