"""Ask the chosen model and pass its answer on as it comes."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

from rightsize.catalogue import Backend
from rightsize.errors import AnswerCutOff, BackendFailed
from rightsize.parameters import shape_parameters
from rightsize.routing import Decision
from rightsize.stream import DONE, ends_answer, error_event, event_payload
from rightsize_webui.failure import as_backend_failure, detail_of
from rightsize_webui.host import OpenWebUI


def _response_detail(response: Response) -> str:
    try:
        return detail_of(json.loads(bytes(response.body)))
    except (ValueError, AttributeError):
        return f"HTTP {response.status_code}"


async def relay(response: StreamingResponse, decision: Decision) -> AsyncIterator[bytes | str]:
    """Pass a streamed answer on unchanged; if it breaks off, end it with one sentence that says so.

    When the reader stops early (the stop button), the backend's stream is closed, which makes it stop too.
    """
    finished = False
    try:
        async for line in response.body_iterator:
            chunk = bytes(line) if isinstance(line, memoryview) else line
            payload = event_payload(chunk)
            if payload == DONE:
                # Open WebUI ends every converted Ollama stream with [DONE], broken ones too;
                # of an OpenAI-compatible server it is the server's own word.
                finished = finished or decision.model.backend is not Backend.OLLAMA
                continue
            finished = finished or ends_answer(payload, decision.model.backend)
            yield chunk
    except Exception:
        finished = False
    finally:
        close = getattr(response.body_iterator, "aclose", None)
        if close is not None:
            await close()
        if response.background is not None:
            await response.background()
    if not finished:
        yield error_event(str(AnswerCutOff(decision.model.name)))
    yield f"data: {DONE}\n\n"


async def ask(
    host: OpenWebUI, request: Any, body: Mapping[str, Any], metadata: Mapping[str, Any], user: Any, decision: Decision
) -> StreamingResponse | dict[str, Any]:
    """Send the request to the decision's model through Open WebUI and return its answer.

    Everything in the body (tools, images, files, stream options) goes along. Raises BackendFailed when the
    backend cannot be reached or refuses.
    """
    model = decision.model
    sent = shape_parameters(body, model.backend, decision.context_window)
    sent["model"] = model.id
    sent["metadata"] = dict(metadata)
    if decision.without_tools:
        sent.pop("tools", None)
        sent.pop("tool_choice", None)
    try:
        response = await host.complete(request, sent, user)
    except Exception as error:
        raise as_backend_failure(model.name, error) from None
    if isinstance(response, StreamingResponse):
        return StreamingResponse(relay(response, decision), media_type="text/event-stream")
    if isinstance(response, Response):
        raise BackendFailed(model.name, _response_detail(response))
    if isinstance(response, dict) and response.get("error") and not response.get("choices"):
        raise BackendFailed(model.name, detail_of(response))
    if not isinstance(response, dict):
        raise BackendFailed(model.name, "it sent no answer")
    return response
