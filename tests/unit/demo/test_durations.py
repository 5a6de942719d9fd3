"""Durations as Go reads them."""

import pytest

from demo.ollama.durations import FOR_EVER, parse_duration, parse_keep_alive, parse_keep_alive_setting


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (300, 300.0),
        (0, 0.0),
        (-1, FOR_EVER),
        ("0", 0.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("-1m", FOR_EVER),
        ("1.5s", 1.5),
        ("100ms", 0.1),
        (".5s", 0.5),
        ("+2s", 2.0),
    ],
)
def test_keep_alive(value: object, seconds: float) -> None:
    assert parse_keep_alive(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("m", 'time: invalid duration "m"'),
        ("abc", 'time: invalid duration "abc"'),
        (True, "Unsupported type: 'bool'"),
        ([1], "Unsupported type:"),
    ],
)
def test_bad_keep_alive(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_keep_alive(value)


def test_the_setting_takes_bare_digits_too() -> None:
    assert parse_keep_alive_setting("-1") == FOR_EVER
    assert parse_keep_alive_setting("60") == 60.0
    assert parse_keep_alive_setting("5m") == 300.0
    assert parse_duration("-2s") == -2.0
