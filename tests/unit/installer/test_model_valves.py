"""Valves that depend on which models there are, merged into what an administrator has put in them."""

import pytest

from installer.engine.manifest import read_manifest
from installer.model_valves import with_excluded, with_tiers, without_excluded
from rightsize.settings import RoutingSettings, parse_tier_overrides, split_list

TIERS = {"qwen-0.5b": "small", "qwen-1.5b": "medium"}
CLOUD = ("demo-cloud-pro", "demo-cloud-mini")


@pytest.mark.parametrize(
    ("now", "merged"),
    [
        ("", "qwen-0.5b=small, qwen-1.5b=medium"),
        (None, "qwen-0.5b=small, qwen-1.5b=medium"),
        ("llama3:8b=large", "llama3:8b=large, qwen-0.5b=small, qwen-1.5b=medium"),
        ("qwen-1.5b = large,, ", "qwen-1.5b = large, qwen-0.5b=small"),
        ("qwen-1.5b=large, qwen-0.5b=medium", None),
    ],
)
def test_an_entry_of_an_administrator_stays(now: str | None, merged: str | None) -> None:
    changes = with_tiers({"tier_overrides": now}, TIERS)
    assert changes == ({"tier_overrides": merged} if merged else {})


def test_the_manifests_tiers_are_ones_that_the_pipe_takes() -> None:
    tiers = {model.model_id: model.tier for model in read_manifest().models}
    valves = RoutingSettings(**with_tiers({}, tiers))
    assert parse_tier_overrides(valves.tier_overrides) == tiers


@pytest.mark.parametrize("now", ["", "gpt-5", "gpt-5, demo-cloud-mini", "demo-cloud-pro ,gpt-5"])
def test_exactly_the_stand_ins_are_taken_out_again(now: str) -> None:
    excluded = {"excluded_models": now, **with_excluded({"excluded_models": now}, CLOUD)}
    assert set(CLOUD) <= set(split_list(excluded["excluded_models"]))
    assert with_excluded(excluded, CLOUD) == {}
    after = without_excluded(excluded, CLOUD)["excluded_models"]
    assert split_list(after) == (("gpt-5",) if "gpt-5" in now else ())


def test_nothing_is_taken_out_where_nothing_was_put_in() -> None:
    assert without_excluded({"excluded_models": "gpt-5"}, CLOUD) == {}
    assert without_excluded({}, CLOUD) == {}
