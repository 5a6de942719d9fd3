"""
title: Rightsize Privacy Guard
author: Rightsize
version: 0.1.0
license: MIT
required_open_webui_version: 0.12.0
description: Keeps personal data on local models, whatever model was selected; it fails closed.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from rightsize.catalogue import Backend, Catalogue
from rightsize.errors import GuardNotInPlace
from rightsize.parameters import asked_context_window, shape_parameters, without_tools
from rightsize.request import read_request
from rightsize.routing import Decision, Route, can_use_tools, context_to_ask_for, decide
from rightsize.settings import PrivacySettings, RoutingSettings
from rightsize_webui.detection import Detection
from rightsize_webui.discovery import Discovery
from rightsize_webui.egress import KEPT_LOCAL, put_in_place
from rightsize_webui.failure import as_rightsize_error
from rightsize_webui.host import OpenWebUI
from rightsize_webui.status import EventEmitter, show_status
from rightsize_webui.valves import GUARD_ID, PIPE_ID, SavedValves


class Filter:
    """A global filter that finds personal data and moves the request that holds it to a local model."""

    class Valves(SavedValves, PrivacySettings):
        """What counts as personal data."""

        priority: int = Field(
            default=100, description="Filters with a lower number run first; the guard should see what they add."
        )

    class RoutingValves(SavedValves, RoutingSettings):
        """The Rightsize pipe's valves, which say what is local; its defaults where it is not installed."""

    def __init__(self, host: OpenWebUI | None = None) -> None:
        self.valves = self.Valves()
        self._host = host or OpenWebUI()
        self._discovery = Discovery(self._host)
        self._detection = Detection(self._host)
        # Open WebUI loads a function as a module named function_<id>_<32 hexadecimal digits>.
        loaded_as = re.fullmatch(r"function_(.+)_[0-9a-f]{32}", __name__)
        self._id = loaded_as[1] if loaded_as else GUARD_ID
        try:
            put_in_place(self._host.chat_module(), self._check_before_sending)
            self._in_place = True
        except (ImportError, GuardNotInPlace):
            # Failing to load would leave every chat unguarded: load, and refuse them.
            self._in_place = False

    async def inlet(
        self,
        body: dict[str, Any],
        __user__: dict[str, Any],
        __request__: Any,
        __metadata__: dict[str, Any],
        __model__: Mapping[str, Any] | None = None,
        __event_emitter__: EventEmitter | None = None,
    ) -> dict[str, Any]:
        """Check a message as the user sent it. Raises a RightsizeError if it may not be sent."""
        return await self._guard(body, __user__, __request__, __metadata__, __model__ or {}, __event_emitter__)

    async def request(
        self,
        body: dict[str, Any],
        __user__: dict[str, Any],
        __request__: Any,
        __metadata__: dict[str, Any],
        __model__: Mapping[str, Any] | None = None,
        __event_emitter__: EventEmitter | None = None,
    ) -> dict[str, Any]:
        """Check a request as it is about to go to a model, retrieved documents, memories and tool results included.

        Raises a RightsizeError if it may not be sent.
        """
        body = await self._guard(body, __user__, __request__, __metadata__, __model__ or {}, __event_emitter__)
        if KEPT_LOCAL not in __metadata__:
            return body
        try:
            return await self._fit_to_local_model(body, __user__, __request__, __metadata__, __model__ or {})
        except Exception as error:
            raise as_rightsize_error(error) from None

    async def _guard(
        self,
        body: dict[str, Any],
        user_fields: Mapping[str, Any],
        request: Any,
        metadata: dict[str, Any],
        selected: Mapping[str, Any],
        emit: EventEmitter | None,
    ) -> dict[str, Any]:
        try:
            if not self._in_place:
                raise GuardNotInPlace
            user = await self._host.user(user_fields)
            decision = await self._local_decision(request, body, user, metadata)
            if decision is None:
                return body
            metadata[KEPT_LOCAL] = decision.model.backend.value
            await show_status(emit, decision.sentence(instead_of=str(selected.get("name") or body.get("model"))))
            return {**body, "model": decision.model.id}
        except Exception as error:
            raise as_rightsize_error(error) from None

    async def _fit_to_local_model(
        self,
        body: dict[str, Any],
        user_fields: Mapping[str, Any],
        request: Any,
        metadata: Mapping[str, Any],
        selected: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Give the local model its parameters in its own form, and the selected preset's system prompt."""
        user = await self._host.user(user_fields)
        settings = await self._routing_settings()
        model = (await self._discovery.catalogue(request, user, settings)).find(str(body.get("model", "")))
        asked = asked_context_window(body)
        # What was put into the request since the model was chosen (documents, tool results) has to fit too.
        chat = read_request(body)
        with_tools = model is None or can_use_tools(model, chat)
        needed = chat.tokens_with_tools if with_tools else chat.tokens
        context_window = context_to_ask_for(model, needed, asked) if model else asked
        shaped = shape_parameters(body, Backend(metadata[KEPT_LOCAL]), context_window)
        if not with_tools:
            shaped = without_tools(shaped)
        prompt = await self._host.preset_system_prompt(str(selected.get("id", "")), metadata, user)
        messages = list(shaped.get("messages") or [])
        if prompt and not any(
            prompt in str(message.get("content")) for message in messages if message.get("role") == "system"
        ):
            shaped["messages"] = [{"role": "system", "content": prompt}, *messages]
        return shaped

    async def _routing_settings(self) -> RoutingSettings:
        return self.RoutingValves(**await self._host.saved_valves(PIPE_ID)).checked()

    async def _local_decision(
        self,
        request: Any,
        body: Mapping[str, Any],
        user: Any,
        metadata: Mapping[str, Any],
        only_ollama: bool = False,
    ) -> Decision | None:
        """Which local model must take a request, or None if it may go where it was going.

        Raises PersonalDataBlocked if there is none.
        """
        privacy = self.Valves(**await self._host.saved_valves(self._id)).checked()
        settings = await self._routing_settings()
        model_id = str(body.get("model", ""))
        if await self._discovery.keeps_personal_data_local(request, model_id, user, settings):
            return None
        # Open WebUI puts a preset's system prompt, the user's name and email filled in, into the request as it leaves.
        prompt = await self._host.preset_system_prompt(model_id, metadata, user)
        messages = [{"role": "system", "content": prompt}, *(body.get("messages") or [])]
        chat = read_request({**body, "messages": messages}, str(metadata.get("base_user_prompt") or ""))
        findings = await self._detection.scan(chat, privacy)
        if not findings:
            return None
        catalogue = await self._discovery.catalogue(request, user, settings)
        if only_ollama:
            catalogue = Catalogue(tuple(model for model in catalogue.models if model.backend is Backend.OLLAMA))
        route = Route.SMALL if metadata.get("task") else Route.LOCAL
        return decide(route, chat, findings, catalogue, settings, asked_context_window(body))

    async def _check_before_sending(
        self, request: Any, form_data: dict[str, Any], user: Any, only_ollama: bool
    ) -> Decision | None:
        """The last check: the decision for a local model that a call must go to instead, or None.

        Raises a RightsizeError to stop the call.
        """
        # Switched on but not made global, Open WebUI would not call the hooks above; this check still stands.
        if not await self._host.is_switched_on(self._id):
            return None
        try:
            metadata = form_data.get("metadata") or {}
            return await self._local_decision(request, form_data, user, metadata, only_ollama)
        except Exception as error:
            raise as_rightsize_error(error) from None
