"""Ask the chosen model and pass its answer on as it comes."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

from rightsize.catalogue import Backend
from rightsize.errors import AnswerCutOff, BackendFailed
from rightsize.parameters import shape_parameters, without_tools
from rightsize.routing import Decision
from rightsize.stream import DONE, ends_answer, error_event, event_payload, last_ollama_line, read_ollama_line
from rightsize_webui.failure import as_backend_failure, detail_of
from rightsize_webui.host import OpenWebUI


def _response_detail(response: Response) -> str:
    try:
        return detail_of(json.loads(bytes(response.body)))
    except (ValueError, AttributeError):
        return f"HTTP {response.status_code}"


# What Starlette streams.
Lines = AsyncIterable[str | bytes | memoryview]


def _plain(line: str | bytes | memoryview) -> str | bytes:
    return bytes(line) if isinstance(line, memoryview) else line


async def _close(lines: Lines) -> None:
    close = getattr(lines, "aclose", None)
    if close is not None:
        await close()


async def relay(lines: Lines, model: str, backend: Backend) -> AsyncIterator[str | bytes]:
    """Pass a streamed answer on unchanged; if it breaks off, end it with one sentence that says so.

    `lines` are server-sent events in OpenAI's form. When the reader stops early (the stop button), they are closed,
    which makes the backend stop too.
    """
    finished = False
    try:
        async for line in lines:
            chunk = _plain(line)
            payload = event_payload(chunk)
            if payload == DONE:
                # Open WebUI ends every converted Ollama stream with [DONE], broken ones too;
                # of an OpenAI-compatible server it is the server's own word.
                finished = finished or backend is not Backend.OLLAMA
                continue
            finished = finished or ends_answer(payload, backend)
            yield chunk
    except Exception:
        finished = False
    finally:
        await _close(lines)
    if not finished:
        yield error_event(str(AnswerCutOff(model)))
    yield f"data: {DONE}\n\n"


async def relay_ollama(lines: Lines, model: str) -> AsyncIterator[str | bytes]:
    """Do the same for Ollama's own stream of JSON lines.

    What Open WebUI makes of such a stream has no place for errors, so the sentence becomes the end of the answer.
    """
    finished, reason = False, ""
    try:
        async for line in lines:
            chunk = _plain(line)
            finished, reason = read_ollama_line(chunk)
            if reason:
                break
            yield chunk
    except Exception:
        finished = False
    finally:
        await _close(lines)
    if not finished:
        yield last_ollama_line(model, str(BackendFailed(model, reason) if reason else AnswerCutOff(model)))


async def _then_clean_up(lines: Lines, response: StreamingResponse) -> AsyncIterator[str | bytes]:
    # Open WebUI does not run the background task (closing the connection) of a function's response.
    try:
        async for line in lines:
            yield _plain(line)
    finally:
        await _close(lines)
        if response.background is not None:
            await response.background()


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
        sent = without_tools(sent)
    try:
        response = await host.complete(request, sent, user)
    except Exception as error:
        raise as_backend_failure(model.name, error) from None
    if isinstance(response, StreamingResponse):
        lines = relay(response.body_iterator, model.name, model.backend)
        return StreamingResponse(_then_clean_up(lines, response), media_type="text/event-stream")
    if isinstance(response, Response):
        raise BackendFailed(model.name, _response_detail(response))
    if isinstance(response, dict) and response.get("error") and not response.get("choices"):
        raise BackendFailed(model.name, detail_of(response))
    if not isinstance(response, dict):
        raise BackendFailed(model.name, "it sent no answer")
    return response
