"""Valves survive bad values: refused when saved, reported when met."""

from typing import Any

import pytest

from rightsize.errors import InvalidValve
from rightsize.settings import RoutingSettings
from rightsize_webui.valves import SavedValves


class Valves(SavedValves, RoutingSettings):
    """Valves as the pipe has them."""


def test_good_values_are_kept() -> None:
    valves = Valves(small_up_to_billion=4.0).checked()
    assert valves.small_up_to_billion == 4.0
    assert valves.model_dump()["small_up_to_billion"] == 4.0


@pytest.mark.parametrize("values", [{"small_up_to_billion": "many"}, {"tier_overrides": "x"}, {"local_hosts": None}])
def test_bad_values_can_be_loaded_but_neither_used_nor_saved(values: dict[str, Any]) -> None:
    valves = Valves(**values)
    (name,) = values
    with pytest.raises(InvalidValve, match=f"valve '{name}' cannot be used"):
        valves.checked()
    with pytest.raises(InvalidValve):
        valves.model_dump(exclude_unset=True)


def test_the_form_in_the_admin_panel_describes_every_valve() -> None:
    properties = Valves.model_json_schema()["properties"]
    assert set(properties) == set(RoutingSettings.model_fields)
    assert all(field["description"] for field in properties.values())
