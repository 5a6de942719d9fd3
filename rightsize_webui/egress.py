"""The last check before every model call.

Open WebUI calls filters for a chat's own messages, but not when it asks a model for a title, tags, follow-up
questions, a search query, a memory or a summary of the same messages: with a cloud model selected, those would carry
personal data out. All of these calls, and the chat's own, go through four functions that `open_webui.utils.chat`
looks up by name. Each is wrapped here, so that nothing is sent before it has been looked at.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import StreamingResponse

from rightsize.catalogue import Backend
from rightsize.errors import GuardNotInPlace
from rightsize.parameters import shape_parameters, without_tools
from rightsize.routing import Decision
from rightsize_webui.answer import relay, relay_ollama
from rightsize_webui.failure import as_backend_failure
from rightsize_webui.host import with_own_state

OLLAMA_SENDER = "generate_ollama_chat_completion"
SENDERS = (
    "generate_openai_chat_completion",
    OLLAMA_SENDER,
    "generate_function_chat_completion",
    "generate_direct_chat_completion",
)
# Set in a request's metadata once the guard has moved it to a local model.
KEPT_LOCAL = "rightsize_kept_local"
_WRAPPED = "rightsize_wrapped"

# Given (request, form_data, user, only_ollama): the decision for a local model instead, or None to send as asked.
Check = Callable[[Any, dict[str, Any], Any, bool], Awaitable[Decision | None]]


async def _send_moved(
    original: Any, name: str, request: Any, form_data: dict[str, Any], user: Any, rest: dict[str, Any]
) -> Any:
    """Send a request that the guard has moved to a local model.

    The user did not choose this model: when it fails, or its answer breaks off, a sentence says which one it was.
    """
    model = str(form_data.get("model"))
    try:
        response = await original(request=request, form_data=form_data, user=user, **rest)
    except Exception as error:
        raise as_backend_failure(model, error) from None
    if isinstance(response, StreamingResponse):
        lines = response.body_iterator
        ollama = name == OLLAMA_SENDER
        response.body_iterator = relay_ollama(lines, model) if ollama else relay(lines, model, Backend.OPENAI)
    return response


def _wrap(chat: Any, name: str, original: Any, check: Check) -> Any:
    @functools.wraps(original)
    async def checked(request: Any, form_data: dict[str, Any], user: Any, **rest: Any) -> Any:
        # Ollama's sender gets Ollama's own format and its answer is read as such: only an Ollama model can step in.
        decision = await check(request, form_data, user, name == OLLAMA_SENDER)
        if decision is None:
            if KEPT_LOCAL in (form_data.get("metadata") or {}):
                return await _send_moved(original, name, request, form_data, user, rest)
            return await original(request=request, form_data=form_data, user=user, **rest)
        model, context_window = decision.model, decision.context_window
        if decision.without_tools:
            form_data = without_tools(form_data)
        if name == OLLAMA_SENDER:
            options = {**(form_data.get("options") or {}), **({"num_ctx": context_window} if context_window else {})}
            redirected = {**form_data, "model": model.id, "options": options}
            return await original(request=request, form_data=redirected, user=user, **rest)
        redirected = {**shape_parameters(form_data, model.backend, context_window), "model": model.id}
        return await chat.generate_chat_completion(with_own_state(request), redirected, user)

    setattr(checked, _WRAPPED, original)
    return checked


def put_in_place(chat: Any, check: Check) -> None:
    """Wrap the four senders of Open WebUI's chat module, replacing an earlier wrapping.

    Raises GuardNotInPlace if one of them is not there.
    """
    originals = {}
    for name in SENDERS:
        original = getattr(chat, name, None)
        while hasattr(original, _WRAPPED):
            original = getattr(original, _WRAPPED)
        if not callable(original):
            raise GuardNotInPlace
        originals[name] = original
    for name, original in originals.items():
        setattr(chat, name, _wrap(chat, name, original, check))
