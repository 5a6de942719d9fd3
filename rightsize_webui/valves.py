"""Valves that survive bad values: saving one is refused, and one that is saved already is reported in the chat."""

from typing import Any, Self

from pydantic import BaseModel, PrivateAttr, ValidationError

from rightsize.errors import InvalidValve

# The ids under which Rightsize's functions are installed, by which each finds the other's valves.
PIPE_ID = "rightsize"
GUARD_ID = "privacy_guard"


class SavedValves(BaseModel):
    """Mixed into a settings model, makes it what Open WebUI calls a function's Valves.

    Open WebUI drops a function whose saved valves do not validate: its models vanish, and a filter fails with a
    page of text. So the values are taken as they are and the problem is kept for `checked`.
    """

    _problem: InvalidValve | None = PrivateAttr(default=None)

    def __init__(self, **values: Any) -> None:
        problem = None
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "valves"
            problem = InvalidValve(name, first["msg"].removeprefix("Value error, "))
            super().__init__()
        self._problem = problem

    def checked(self) -> Self:
        """Return these valves. Raises InvalidValve if a saved value cannot be used."""
        if self._problem is not None:
            raise self._problem
        return self

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Dump the values, as Open WebUI does to save them. Raises InvalidValve, so that bad ones are not saved."""
        return super(SavedValves, self.checked()).model_dump(**options)
