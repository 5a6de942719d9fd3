"""
title: Rightsize
author: Rightsize
version: 0.1.0
license: MIT
required_open_webui_version: 0.12.0
description: Sends every chat to the right-size model: small, medium or large on your own GPU, or a frontier model.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import StreamingResponse

from rightsize.errors import UnknownRoute
from rightsize.parameters import asked_context_window
from rightsize.request import parse_request
from rightsize.routing import Route, decide
from rightsize.settings import PrivacySettings, RoutingSettings
from rightsize.stream import DONE, error_event
from rightsize_webui.answer import ask
from rightsize_webui.detection import Detection
from rightsize_webui.discovery import Discovery
from rightsize_webui.failure import as_rightsize_error
from rightsize_webui.host import OpenWebUI
from rightsize_webui.status import EventEmitter, show_status
from rightsize_webui.valves import GUARD_ID, SavedValves


class Pipe:
    """The models Auto, Small, Medium, Large, Frontier and Local of Open WebUI's model menu."""

    # The privacy guard leaves models of a function alone only if the function declares this.
    keeps_personal_data_local = True

    class Valves(SavedValves, RoutingSettings):
        """How models are sorted into tiers, and which may be chosen."""

    class GuardValves(SavedValves, PrivacySettings):
        """The privacy guard's valves, which this function honours too."""

    def __init__(self, host: OpenWebUI | None = None) -> None:
        self.name = "Rightsize "
        self.valves = self.Valves()
        self._host = host or OpenWebUI()
        self._discovery = Discovery(self._host)
        self._detection = Detection(self._host)

    async def pipes(self) -> list[dict[str, str]]:
        """The manifold's models, as Open WebUI lists them."""
        # Open WebUI lists models before it does anything with one, but loads a filter only at the first chat:
        # until then, what it asks of models by itself (completing what is being typed) would go unguarded.
        await self._host.load_if_switched_on(GUARD_ID)
        return [{"id": route.value, "name": route.value.capitalize()} for route in Route]

    async def pipe(
        self,
        body: dict[str, Any],
        __user__: dict[str, Any],
        __request__: Any,
        __metadata__: Mapping[str, Any] | None = None,
        __event_emitter__: EventEmitter | None = None,
        __task__: str | None = None,
    ) -> StreamingResponse | dict[str, Any]:
        """Answer one chat completion.

        Returns the chosen model's answer, streamed if the body asks for it. An error is one sentence, as an
        event of the stream, or raised as a RightsizeError where there is none.
        """
        try:
            return await self._answer(body, __user__, __request__, __metadata__ or {}, __event_emitter__, __task__)
        except Exception as error:
            known = as_rightsize_error(error)
            if not body.get("stream"):
                raise known from None
            sentence = str(known)
            events = (error_event(sentence), f"data: {DONE}\n\n")
            return StreamingResponse(iter(events), media_type="text/event-stream")

    async def _answer(
        self,
        body: dict[str, Any],
        user_fields: Mapping[str, Any],
        request: Any,
        metadata: Mapping[str, Any],
        emit: EventEmitter | None,
        task: str | None,
    ) -> StreamingResponse | dict[str, Any]:
        settings = self.valves.checked()
        privacy = self.GuardValves(**await self._host.saved_valves(GUARD_ID)).checked()
        function_id, _, route_name = str(body.get("model", "")).partition(".")
        if route_name not in list(Route):
            raise UnknownRoute(route_name, [route.value for route in Route])

        # Open WebUI keeps what the user wrote here before it puts retrieved documents around it.
        chat = parse_request(body, typed=str(metadata.get("base_user_prompt") or ""))
        user = await self._host.user(user_fields)
        findings = await self._detection.scan(chat, privacy)
        catalogue = await self._discovery.catalogue(request, user, settings, own_function_id=function_id)
        # Titles, tags and search queries are small work, and not worth a wait or a fee.
        route = Route.SMALL if task else Route(route_name)
        decision = decide(route, chat, findings, catalogue, settings, asked_context_window(body))

        answering_a_tool = bool(chat.messages) and chat.messages[-1].role == "tool"
        if not task and not answering_a_tool:
            await show_status(emit, decision.sentence())
        return await ask(self._host, request, body, metadata, user, decision)
