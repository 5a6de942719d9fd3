"""How hard a request is. The texts are plain examples of their kind."""

import time

import pytest

from rightsize.catalogue import Tier
from rightsize.signals import read_signals
from tests.unit.core.build import chat


@pytest.mark.parametrize(
    ("text", "tier", "reason"),
    [
        ("What time zone is Tokyo in?", Tier.SMALL, "a short, simple question"),
        ("Thanks!", Tier.SMALL, "a short, simple question"),
        ("Translate 'good morning' to French.", Tier.SMALL, "a short, simple question"),
        ("Write a function that reverses a list.", Tier.MEDIUM, "code"),
        ("Write a short story about a lighthouse.", Tier.MEDIUM, "long-form writing"),
        ("What is the integral of x squared?", Tier.MEDIUM, "mathematics"),
        ("Fix this bug: my component renders twice.", Tier.MEDIUM, "code"),
        ("```\nprint(1)\n``` What does it print?", Tier.MEDIUM, "code"),
        ("def f(x):\n    pass", Tier.MEDIUM, "code"),
        (
            "I have 3 boxes of 12 apples and eat 2 a day. How many days do they last?",
            Tier.MEDIUM,
            "mathematics",
        ),
        ("Vergleiche die beiden Angebote ausführlich.", Tier.MEDIUM, "analysis"),
        ("Démontre ce théorème.", Tier.MEDIUM, "mathematics"),
        ("请证明根号二是无理数", Tier.MEDIUM, "mathematics"),
        ("Which class does my daughter start in, and can I return her books?", Tier.SMALL, "a short, simple question"),
        ("Who was born in 1815, 1906 or 1912?", Tier.SMALL, "a short, simple question"),
        ("Compare and evaluate Postgres and MySQL, then design a schema and implement it.", Tier.LARGE, "analysis"),
        ("", Tier.SMALL, "a short, simple question"),
    ],
)
def test_single_messages(text: str, tier: Tier, reason: str) -> None:
    signals = read_signals(chat(text))
    assert signals.tier is tier
    assert reason in signals.reasons


def test_a_short_follow_up_inherits_from_the_question_before() -> None:
    hard = "Prove that the square root of two is irrational, then analyze and evaluate the proof in depth."
    assert read_signals(chat(hard, "and why?")).reasons == ("a follow-up to a harder question",)
    assert read_signals(chat("hello", "and why?")).tier is Tier.SMALL


def test_what_is_asked_is_found_before_and_after_a_long_paste() -> None:
    paste = "lorem ipsum " * 4_000
    for text in (f"Prove this. {paste}", f"{paste} Prove this."):
        assert "mathematics" in read_signals(chat(text)).reasons


def test_long_contexts_need_more() -> None:
    assert "a long context" in read_signals(chat("word " * 5_000)).reasons
    assert "a very long context" in read_signals(chat("word " * 20_000)).reasons


def test_lists_and_conditions_count() -> None:
    text = "Do this:\n1. one\n2. two\n3. three\nIt must be short and should rhyme. Really? Why? How?"
    signals = read_signals(chat(text))
    assert set(signals.reasons) == {"several parts", "several conditions", "several questions"}
    assert signals.points == 4


PIECES = ["SELECT ", "\n", "def a ", ") {", "1 a ", "1,", "write ", "step ", "must ", "reason", "函"]


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_made_to_be_slow_takes_no_more_than_its_length_calls_for(piece: str) -> None:
    started = time.monotonic()
    read_signals(chat(piece * (500_000 // len(piece))))
    assert time.monotonic() - started < 10
