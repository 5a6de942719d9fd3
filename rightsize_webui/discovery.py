"""Discover the catalogue: nothing about models is configured, all is asked of Open WebUI, Ollama and local engines."""

import asyncio
from collections.abc import Mapping
from typing import Any

from rightsize.catalogue import Backend, Catalogue, backend_of, build_catalogue, is_base_model
from rightsize.locality import Location, locate
from rightsize.settings import RoutingSettings
from rightsize_webui.host import OpenWebUI
from rightsize_webui.local_engines import LocalEngines


def base_entry(entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Follow a preset to the model it is based on; None if the chain breaks or turns in a circle."""
    seen: set[str] = set()
    while entry.get("preset"):
        info = entry.get("info")
        base_id = str(info.get("base_model_id") or "") if isinstance(info, Mapping) else ""
        if base_id in seen or base_id not in entries:
            return None
        seen.add(base_id)
        entry = entries[base_id]
    return entry


class Discovery:
    """Builds a user's catalogue, asking Ollama about each model once for as long as its digest stays the same.

    Other local engines are asked at the same time, as `LocalEngines` says.
    """

    def __init__(self, host: OpenWebUI) -> None:
        self._host = host
        self._engines = LocalEngines(host)
        self._shows: dict[tuple[str, str], Mapping[str, Any]] = {}

    async def _show(self, request: Any, entry: Mapping[str, Any], user: Any) -> Mapping[str, Any]:
        model_id = str(entry["id"])
        tags = entry.get("ollama")
        key = (model_id, str(tags.get("digest", "")) if isinstance(tags, Mapping) else "")
        if key not in self._shows:
            shown = await self._host.show(request, model_id, user)
            if not shown:
                return {}
            self._shows[key] = shown
        return self._shows[key]

    async def catalogue(
        self, request: Any, user: Any, settings: RoutingSettings, own_function_id: str = ""
    ) -> Catalogue:
        """The models that the user may use, except those of Rightsize's own manifold."""
        entries = [
            entry
            for entry in await self._host.visible_entries(request, user)
            if not (entry.get("pipe") and str(entry.get("id", "")).partition(".")[0] == own_function_id)
        ]
        ollama = [entry for entry in entries if is_base_model(entry) and backend_of(entry) is Backend.OLLAMA]
        connections = await self._host.connections()
        shown, told = await asyncio.gather(
            asyncio.gather(*(self._show(request, entry, user) for entry in ollama)),
            self._engines.facts(request, user, entries, connections, settings),
        )
        shows = {str(entry["id"]): show for entry, show in zip(ollama, shown, strict=True)}
        return build_catalogue(entries, shows, connections, settings, told)

    async def keeps_personal_data_local(
        self, request: Any, model_id: str, user: Any, settings: RoutingSettings
    ) -> bool:
        """Whether whatever is sent to a model stays on the user's own hardware. Unknown means that it does not.

        A function's model counts only if the function declares `keeps_personal_data_local`, as Rightsize's does.
        """
        entries = await self._host.entries(request, user)
        entry = base_entry(entries[model_id], entries) if model_id in entries else None
        if entry is None or entry.get("arena"):
            return False
        if entry.get("pipe"):
            function_id = str(entry.get("id", "")).partition(".")[0]
            return await self._host.function_attribute(request, function_id, "keeps_personal_data_local") is True
        return locate(entry, await self._host.connections(), settings) is Location.LOCAL
