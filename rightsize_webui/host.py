"""Open WebUI, as far as Rightsize needs it. This module alone imports it.

The imports stand inside the methods because importing Open WebUI starts it (it reads its configuration and
opens its database), which a test of Rightsize must be able to do without. Checked against Open WebUI 0.12.4.
"""

import asyncio
import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from starlette.requests import Request

from rightsize.locality import Connection, Connections
from rightsize_webui.server_answer import ServerAnswer, get_json

logger = logging.getLogger("rightsize")

# Seconds to wait for Ollama's /api/show: without an answer the model's abilities count as unknown.
SHOW_TIMEOUT = 5.0
# Seconds to wait for the answer of another local engine, likewise.
ENGINE_TIMEOUT = 2.0


def _config_of(configs: Any, index: int, url: Any) -> Mapping[str, Any]:
    """A connection's configuration: Open WebUI keeps it under its index, and once kept it under its URL."""
    configs = configs if isinstance(configs, Mapping) else {}
    config = configs.get(str(index), configs.get(url, {}))
    return config if isinstance(config, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _connections(urls: Any, configs: Any) -> tuple[Connection, ...]:
    found = []
    for index, url in enumerate(urls if isinstance(urls, list) else []):
        config = _config_of(configs, index, url)
        found.append(Connection(str(url), _text(config.get("connection_type")), _text(config.get("prefix_id"))))
    return tuple(found)


def with_own_state(request: Any) -> Any:
    """A request for one model call, with the state of the given one but not sharing it.

    Open WebUI answers a chat and makes its title at the same time, for the same request, and notes in the request's
    state that a system prompt has been applied: sharing it, the one call would lose the other its system prompt.
    """
    if not isinstance(request, Request):
        return request
    return Request({**request.scope, "state": dict(request.scope.get("state", {}))}, request.receive)


class OpenWebUI:
    """The running Open WebUI that this function was loaded into."""

    async def entries(self, request: Any, user: Any) -> dict[str, Mapping[str, Any]]:
        """Every model that Open WebUI knows, by id, a direct connection's model of this request included."""
        from open_webui.utils.models import get_all_models

        if not request.app.state.MODELS:
            await get_all_models(request, user=user)
        entries: dict[str, Mapping[str, Any]] = dict(request.app.state.MODELS.items())
        direct = getattr(request.state, "model", None)
        if getattr(request.state, "direct", False) and isinstance(direct, Mapping):
            entries[str(direct.get("id"))] = {**direct, "direct": True}
        return entries

    async def visible_entries(self, request: Any, user: Any) -> list[Mapping[str, Any]]:
        """The models that the user has access to, by Open WebUI's own rules."""
        from open_webui.utils.models import get_filtered_models

        entries = [entry for entry in (await self.entries(request, user)).values() if not entry.get("direct")]
        return list(await get_filtered_models(entries, user))

    async def connections(self) -> Connections:
        """The Ollama and OpenAI connections that administrators have saved."""
        from open_webui.models.config import Config

        saved = await Config.get_many(
            "ollama.base_urls", "ollama.api_configs", "openai.api_base_urls", "openai.api_configs"
        )
        return Connections(
            ollama=_connections(saved.get("ollama.base_urls"), saved.get("ollama.api_configs")),
            openai=_connections(saved.get("openai.api_base_urls"), saved.get("openai.api_configs")),
        )

    async def show(self, request: Any, model_id: str, user: Any) -> Mapping[str, Any]:
        """Ollama's /api/show for a model, or an empty mapping if it does not answer."""
        from open_webui.routers.ollama import ModelNameForm, show_model_info

        try:
            form = ModelNameForm(model=model_id)
            shown = await asyncio.wait_for(show_model_info(request, form, user), SHOW_TIMEOUT)
        except Exception as error:
            logger.warning("Ollama's /api/show failed for %s: %s", model_id, type(error).__name__)
            return {}
        return shown if isinstance(shown, Mapping) else {}

    async def ask_server(
        self, request: Any, user: Any, index: int, connection: Connection, address: str
    ) -> ServerAnswer | None:
        """GET an address of an OpenAI-compatible connection's server, with that connection's key and headers.

        Returns None if it does not answer, or if the connection at this index is another by now.
        """
        from open_webui.env import AIOHTTP_CLIENT_SESSION_SSL
        from open_webui.models.config import Config
        from open_webui.utils.headers import get_headers_and_cookies

        saved = await Config.get_many("openai.api_base_urls", "openai.api_keys", "openai.api_configs")
        urls, configs = saved.get("openai.api_base_urls"), saved.get("openai.api_configs")
        if _connections(urls, configs)[index : index + 1] != (connection,):
            return None
        keys = saved.get("openai.api_keys") or []
        headers, cookies = await get_headers_and_cookies(
            request,
            connection.url,
            keys[index] if index < len(keys) else "",
            dict(_config_of(configs, index, connection.url)),
            user=user,
        )
        return await get_json(address, headers, cookies, AIOHTTP_CLIENT_SESSION_SSL, ENGINE_TIMEOUT)

    async def user(self, user: Mapping[str, Any]) -> Any:
        """Open WebUI's own user object for the `__user__` that functions are given."""
        from open_webui.models.users import Users

        return await Users.get_user_by_id(str(user.get("id", "")))

    async def complete(self, request: Any, body: dict[str, Any], user: Any) -> Any:
        """Run a chat completion through Open WebUI itself: its connections, its keys, its access control.

        Returns a streaming response, a dict, or an error response. Raises what the backend raises.
        """
        from open_webui.utils.chat import generate_chat_completion

        return await generate_chat_completion(with_own_state(request), body, user)

    async def saved_valves(self, function_id: str) -> dict[str, Any]:
        """The valves saved for a function; empty if it is not installed or has none."""
        from open_webui.models.functions import Functions

        saved = await Functions.get_function_valves_by_id(function_id) or {}
        return {name: value for name, value in saved.items() if value is not None}

    async def is_switched_on(self, filter_id: str) -> bool:
        """Whether a filter is switched on, global or not."""
        from open_webui.models.functions import Functions

        return any(active_id == filter_id for active_id, _ in await Functions.get_active_filter_ids())

    async def load_if_switched_on(self, function_id: str) -> None:
        """Load a function if it is switched on and not loaded yet."""
        from open_webui.main import app
        from open_webui.utils.plugin import get_function_module_from_cache

        if not await self.is_switched_on(function_id):
            return
        try:
            await get_function_module_from_cache(SimpleNamespace(app=app), function_id)
        except Exception as error:
            logger.error("The function %s could not be loaded: %s", function_id, type(error).__name__)

    async def install_packages(self, packages: list[str]) -> None:
        """Install packages as Open WebUI installs those that a function requires.

        Does nothing where its settings forbid it (OFFLINE_MODE). Raises CalledProcessError when pip fails.
        """
        from open_webui.utils.plugin import install_frontmatter_requirements

        await asyncio.to_thread(install_frontmatter_requirements, ", ".join(packages))

    async def function_attribute(self, request: Any, function_id: str, attribute: str) -> Any:
        """An attribute of an installed function's object, or None."""
        from open_webui.utils.plugin import get_function_module_from_cache

        try:
            function, _, _ = await get_function_module_from_cache(request, function_id)
        except Exception as error:
            logger.warning("The function %s could not be loaded: %s", function_id, type(error).__name__)
            return None
        return getattr(function, attribute, None)

    async def preset_system_prompt(self, model_id: str, metadata: Mapping[str, Any], user: Any) -> str:
        """The system prompt saved with a preset, its variables filled in; empty if there is none."""
        from open_webui.models.models import Models
        from open_webui.utils.payload import resolve_system_prompt

        preset = await Models.get_model_by_id(model_id)
        if preset is None:
            return ""
        return str(await resolve_system_prompt(preset.params.model_dump().get("system"), dict(metadata), user))

    def chat_module(self) -> Any:
        """The module through which Open WebUI sends every chat completion."""
        import open_webui.utils.chat

        return open_webui.utils.chat
