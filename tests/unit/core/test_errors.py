"""Every error is one clear sentence that says what to do, and holds nothing but what is meant to be shown."""

import pytest

from rightsize import errors
from rightsize.errors import RightsizeError

ALL = [
    errors.EmptyMessage(),
    errors.UnknownRoute("huge" * 100, ["auto", "small"]),
    errors.InvalidValve("tier_overrides", "'x' is not model=tier"),
    errors.RequestTooLong(200_000, 131_072, "local model"),
    errors.BackendFailed("llama", "connection refused.\nTraceback (most recent call last):\n  my phone is 555"),
    errors.BackendFailed("llama", ""),
    errors.AnswerCutOff("llama"),
    errors.PersonalDataBlocked("it holds a name"),
    errors.GuardNotInPlace(),
    errors.DetectorUnavailable("phonenumbers"),
    errors.UnexpectedFailure(KeyError("my secret")),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_each_is_one_short_sentence_that_says_what_to_do(error: RightsizeError) -> None:
    text = str(error)
    assert text[0].isalnum()
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 320
    assert ": " in text
    assert "Traceback" not in text
    assert "secret" not in text
