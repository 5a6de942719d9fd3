"""What stands behind the routes: the models, the scheduler and the behaviour of one double."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import JSONResponse, Response, StreamingResponse

from demo.ollama.answering import Chunk, Question, answer, whole
from demo.ollama.behaviour import Behaviour
from demo.ollama.durations import parse_keep_alive
from demo.ollama.errors import OllamaError, not_found
from demo.ollama.models import DemoModel, find_model
from demo.ollama.options import read_options
from demo.ollama.prompt import count_tokens
from demo.ollama.scheduler import Scheduler

_MOST_TOP_LOGPROBS = 20
_NO_EMBEDDINGS = "This server does not support embeddings. Start it with `--embeddings`"


class OllamaJSON(JSONResponse):
    """JSON with the content type that Ollama gives it."""

    media_type = "application/json; charset=utf-8"


@dataclass
class Engine:
    """The models, the scheduler and the behaviour behind one double."""

    models: Sequence[DemoModel]
    behaviour: Behaviour
    scheduler: Scheduler

    def ask(self, body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], key: str, path: str) -> Question:
        """The question that a request puts. Raises OllamaError for what Ollama refuses."""
        record = self.behaviour.record(path, dict(body))
        if self.behaviour.refuse_with:
            raise OllamaError(500, self.behaviour.refuse_with)
        if not 0 <= (body.get("top_logprobs") or 0) <= _MOST_TOP_LOGPROBS:
            raise OllamaError(400, f"top_logprobs must be between 0 and {_MOST_TOP_LOGPROBS}")
        name = str(body.get("model") or "")
        if not name and key == "message":
            raise OllamaError(400, "model is required")
        model = find_model(self.models, name)
        if model is None:
            raise not_found(name)
        keep_alive = self.keep_alive(body)
        # Any model can be unloaded, whatever it is able to do.
        if messages or keep_alive != 0:
            _check_abilities(name, model, body, key)
        options = read_options(body.get("options") or {})
        return Question(name, model, key, messages, options, keep_alive, body, record)

    def keep_alive(self, body: Mapping[str, Any]) -> float | None:
        """The keep_alive of a request in seconds, or None for the default. Raises OllamaError."""
        if body.get("keep_alive") is None:
            return None
        try:
            return parse_keep_alive(body.get("keep_alive"))
        except ValueError as error:
            raise OllamaError(400, str(error)) from error

    async def load_or_unload(self, question: Question) -> Chunk:
        """A request without a prompt: load the model, or with keep_alive 0 unload it."""
        done = {**question.chunk(""), "done": True}
        if question.keep_alive == 0:
            self.scheduler.unload(question.model)
            return {**done, "done_reason": "unload"}
        if not question.model.is_remote:
            runner = question.runner(self.behaviour)
            async with self.scheduler.use(question.model, runner, question.keep_alive) as grant:
                question.record.update(loaded_anew=grant.loaded_anew, context_length=grant.loaded.runner.num_ctx)
        return {**done, "done_reason": "load"}

    def answer(self, question: Question) -> AsyncGenerator[Chunk]:
        """The chunks of the answer to a question."""
        return answer(question, self.scheduler, self.behaviour)

    async def embed(self, body: Mapping[str, Any], path: str, texts: Sequence[str]) -> tuple[list[list[float]], float]:
        """The embeddings of texts, and the seconds that loading took. Raises OllamaError."""
        record = self.behaviour.record(path, dict(body))
        name = str(body.get("model") or "")
        model = find_model(self.models, name)
        if model is None:
            raise OllamaError(404, f'model "{name}" not found, try pulling it first')
        if model.is_remote:
            # Answered in the cloud, which has no models for embeddings; nothing is loaded here.
            raise OllamaError(500, _NO_EMBEDDINGS)
        options = read_options(body.get("options") or {})
        window = model.architecture.context_length
        runner = options.runner(self.behaviour.default_context, window, model.sees, shift=True)
        async with self.scheduler.use(model, runner, self.keep_alive(body)) as grant:
            record.update(loaded_anew=grant.loaded_anew, context_length=grant.loaded.runner.num_ctx)
            if "embedding" not in model.capabilities:
                # The engine was started for chats, and says so.
                raise OllamaError(500 if path == "/api/embeddings" else 501, _NO_EMBEDDINGS)
            length = model.architecture.embedding_length
            if body.get("truncate") is False and any(count_tokens(text) > runner.num_ctx for text in texts):
                raise OllamaError(400, "the input length exceeds the context length")
            shortened = body.get("dimensions") or 0
            length = min(shortened, length) if shortened > 0 else length
            return [_embedding(text, length) for text in texts], grant.load_seconds


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """The texts of an `input`, one or many. Raises OllamaError."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) and given else given or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise OllamaError(400, "invalid input type")
    return texts


def _check_abilities(name: str, model: DemoModel, body: Mapping[str, Any], key: str) -> None:
    if body.get("think") and not model.thinks:
        raise OllamaError(400, f'"{name}" does not support thinking')
    if "completion" not in model.capabilities:
        raise OllamaError(400, f'"{name}" does not support {"chat" if key == "message" else "generate"}')
    for field, capability in (("tools", "tools"), ("suffix", "insert")):
        if body.get(field) and capability not in model.capabilities:
            raise OllamaError(400, f"{model.full_name} does not support {capability}")


def _embedding(text: str, length: int) -> list[float]:
    """A unit vector that says only which letters a text holds: enough for a demo's search to find equal words."""
    counts = [0.0] * length
    for word in text.lower().split():
        counts[sum(word.encode()) % length] += 1.0
    norm = sum(count * count for count in counts) ** 0.5 or 1.0
    return [count / norm for count in counts]


async def started(chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
    """The same chunks, the first of them waited for: what is refused has a status of its own."""
    first = await anext(chunks)

    async def all_of_them() -> AsyncGenerator[Chunk]:
        try:
            yield first
            async for chunk in chunks:
                yield chunk
        finally:
            # Closed at once when whoever asked goes away, which is what frees the model.
            await chunks.aclose()

    return all_of_them()


async def respond(engine: Engine, question: Question, stream: bool) -> Response:
    """Newline-delimited JSON, or the answer whole."""
    chunks = engine.answer(question)
    if not stream:
        put_together = await whole(chunks, question.key)
        return OllamaJSON(put_together, 500 if "error" in put_together else 200)
    waited_for = await started(chunks)

    async def lines() -> AsyncIterator[str]:
        try:
            async for chunk in waited_for:
                yield json.dumps(chunk) + "\n"
        finally:
            await waited_for.aclose()

    return StreamingResponse(lines(), media_type="application/x-ndjson")
