"""The pipe's valves that depend on which models there are; what an administrator has put in them stays."""

from collections.abc import Iterable, Mapping
from typing import Any

TIERS = "tier_overrides"
EXCLUDED = "excluded_models"


def _items(text: object) -> list[str]:
    return [item.strip() for item in str(text or "").split(",") if item.strip()]


def with_tiers(valves: Mapping[str, Any], tiers: Mapping[str, str]) -> dict[str, Any]:
    """The valve that sorts these models into tiers, where it does not sort them already; empty if nothing changes."""
    items = _items(valves.get(TIERS))
    sorted_already = {item.rpartition("=")[0].strip() for item in items}
    added = [f"{model}={tier}" for model, tier in tiers.items() if model not in sorted_already]
    return {TIERS: ", ".join([*items, *added])} if added else {}


def with_excluded(valves: Mapping[str, Any], models: Iterable[str]) -> dict[str, Any]:
    """The valve that keeps these models from being chosen; empty if nothing changes."""
    items = _items(valves.get(EXCLUDED))
    added = [model for model in models if model not in items]
    return {EXCLUDED: ", ".join([*items, *added])} if added else {}


def without_excluded(valves: Mapping[str, Any], models: Iterable[str]) -> dict[str, Any]:
    """The valve that lets these models be chosen again; empty if nothing changes."""
    items, back = _items(valves.get(EXCLUDED)), set(models)
    return {EXCLUDED: ", ".join(item for item in items if item not in back)} if back & set(items) else {}
