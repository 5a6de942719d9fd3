"""Valves that cannot be used are refused by name."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from rightsize.settings import PrivacySettings, RoutingSettings, parse_tier_overrides


def test_tier_overrides() -> None:
    assert parse_tier_overrides("a:3b=large, hf.co/x=y=small ,,") == {"a:3b": "large", "hf.co/x=y": "small"}
    assert parse_tier_overrides("") == {}


@pytest.mark.parametrize(
    ("settings", "values", "words"),
    [
        (RoutingSettings, {"tier_overrides": "a:3b"}, "'a:3b' is not model=tier"),
        (RoutingSettings, {"tier_overrides": "a:3b=huge"}, "'a:3b=huge' is not model=tier"),
        (RoutingSettings, {"tier_overrides": "=small"}, "is not model=tier"),
        (RoutingSettings, {"small_up_to_billion": 0}, "greater than 0"),
        (RoutingSettings, {"small_up_to_billion": 30}, "must be above small_up_to_billion, which is 30"),
        (RoutingSettings, {"small_up_to_billion": 5, "medium_up_to_billion": 5}, "must be above"),
        (RoutingSettings, {"small_up_to_billion": "many"}, "valid number"),
        (PrivacySettings, {"phone_regions": "US, Germany"}, "'Germany' is not a two-letter country code"),
    ],
)
def test_bad_values(settings: type[BaseModel], values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**values)
