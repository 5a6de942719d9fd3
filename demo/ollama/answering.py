"""Answers: the chunks of a chat or a completion, with Ollama's counts and durations."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo.ollama.behaviour import Behaviour
from demo.ollama.errors import OllamaError, engine_error
from demo.ollama.formats import in_format
from demo.ollama.models import DemoModel
from demo.ollama.options import Options, RunnerOptions
from demo.ollama.prompt import Message, Prompt, count_tokens, fit_prompt
from demo.ollama.scheduler import Grant, Scheduler
from demo.replies import pieces, reply, tool_call

Chunk = dict[str, Any]

# A cloud model's pace, and how much faster than one after the other a prompt's tokens are computed together.
_REMOTE_TOKEN_SECONDS = 0.02
_PROMPT_SPEEDUP = 40.0
# What it takes to find a model loaded.
_FOUND_LOADED_SECONDS = 0.001


def now() -> str:
    """The time as Ollama writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def nanoseconds(seconds: float) -> int:
    """Seconds in Ollama's unit."""
    return int(seconds * 1e9)


@dataclass(frozen=True)
class Question:
    """One request for an answer.

    `name` is the model as the request writes it, `key` where the answer belongs: `message` for a chat, `response`
    for a completion. `keep_alive` is in seconds.
    """

    name: str
    model: DemoModel
    key: str
    messages: Sequence[Message]
    options: Options
    keep_alive: float | None
    body: Mapping[str, Any]
    record: dict[str, Any]

    @property
    def tools(self) -> Sequence[Any]:
        """The tools on offer."""
        return self.body.get("tools") or []

    def runner(self, behaviour: Behaviour) -> RunnerOptions:
        """What the model has to be loaded with for this question."""
        window = self.model.architecture.context_length
        shift = self.body.get("shift") is not False
        return self.options.runner(behaviour.default_context, window, self.model.sees, shift)

    @property
    def thinks(self) -> bool:
        """Whether the model is to think: one that can does so unless it is told not to."""
        return self.model.thinks and self.body.get("think") is not False

    def chunk(self, text: str, **more: Any) -> Chunk:
        """A piece of the answer; `more` goes beside the text."""
        place: Chunk = {"role": "assistant", "content": text, **more} if self.key == "message" else {}
        content = {"message": place} if place else {"response": text, **more}
        return {"model": self.name, "created_at": now(), **content, "done": False}


@dataclass(frozen=True)
class _Answer:
    """What is to be said: thoughts, a tool's call or words, and why it ends there."""

    thoughts: list[str]
    words: list[str]
    tool: str | None
    done_reason: str


def _dropped_sentence(prompt: Prompt, context: int) -> str:
    count = len(prompt.dropped)
    if not count:
        return ""
    messages, were = ("messages", "were") if count > 1 else ("message", "was")
    return f" {count} earlier {messages} did not fit its context of {context} tokens and {were} dropped."


def _answer(question: Question, prompt: Prompt, context: int) -> _Answer:
    tool = tool_call(question.tools, prompt.messages) if question.key == "message" else None
    text = reply(question.model.name, prompt.messages)
    if not text.startswith("{"):
        text += _dropped_sentence(prompt, context)
    if question.body.get("format"):
        text = in_format(question.body["format"], text)
    # An answer ends before the first of the texts that are to stop it.
    for stop in question.options.stop:
        text = text.partition(stop)[0] if stop else text
    thoughts = pieces("The user wrote something, and a stand-in has nothing to think about.") if question.thinks else []
    words = [] if tool else pieces(text)
    # num_predict below 0 is without a limit; the context holds the prompt and the answer.
    limit = question.options.num_predict
    room = context - prompt.tokens
    most = max(0, room if limit < 0 else min(limit, room))
    cut = len(thoughts) + len(words) > most
    thoughts, words = thoughts[:most], words[: max(0, most - len(thoughts))]
    return _Answer(thoughts, words, tool, "length" if cut else "stop")


def _logprobs(question: Question, text: str) -> dict[str, Any]:
    if not question.body.get("logprobs"):
        return {}
    token = {"token": text, "logprob": -0.1, "bytes": list(text.encode())}
    top = question.body.get("top_logprobs") or 0
    return {"logprobs": [{**token, **({"top_logprobs": [token]} if top else {})}]}


async def answer(question: Question, scheduler: Scheduler, behaviour: Behaviour) -> AsyncGenerator[Chunk]:
    """The chunks of an answer, the last with its counts. Raises OllamaError before the first where it is refused."""
    finished = False
    try:
        if question.model.is_remote:
            tokens = count_tokens(json.dumps(list(question.messages)))
            prompt = Prompt(tuple(question.messages), (), tokens)
            context = question.model.architecture.context_length
            question.record.update(loaded_anew=False, context_length=context, prompt_tokens=tokens, dropped_messages=[])
            chunks = _said(question, prompt, context, None, behaviour)
            async for chunk in chunks:
                finished = chunk.get("done", True)
                yield chunk
            return
        async with scheduler.use(question.model, question.runner(behaviour), question.keep_alive) as grant:
            context = grant.loaded.runner.num_ctx
            question.record.update(loaded_anew=grant.loaded_anew, context_length=context)
            truncate = question.body.get("truncate") is not False
            prompt = fit_prompt(question.messages, question.tools, context, truncate)
            dropped = [dict(message) for message in prompt.dropped]
            question.record.update(prompt_tokens=prompt.tokens, dropped_messages=dropped)
            if not question.model.sees and any(message.get("images") for message in prompt.messages):
                hint = "hint: if this is unexpected, you may need to provide the mmproj"
                raise engine_error(500, f"image input is not supported - {hint}", "server_error")
            async for chunk in _said(question, prompt, context, grant, behaviour):
                finished = chunk.get("done", True)
                yield chunk
    except OllamaError:
        finished = True
        raise
    finally:
        if not finished:
            behaviour.stopped_early += 1


async def _said(
    question: Question, prompt: Prompt, context: int, grant: Grant | None, behaviour: Behaviour
) -> AsyncIterator[Chunk]:
    """The chunks at the pace at which the model would give them. An error in their midst is a chunk without `done`."""
    said = _answer(question, prompt, context)
    token_seconds = behaviour.token_seconds(grant.loaded.placement) if grant else _REMOTE_TOKEN_SECONDS
    prompt_seconds = prompt.tokens * token_seconds / _PROMPT_SPEEDUP
    slowed = behaviour.seconds_per_piece * question.model.parameters_billion
    pause = slowed or token_seconds * behaviour.time_scale
    await asyncio.sleep(prompt_seconds * behaviour.time_scale)
    if said.tool:
        call = {"function": {"name": said.tool, "arguments": {}}}
        yield question.chunk("", tool_calls=[call])
    for thought in said.thoughts:
        await asyncio.sleep(pause)
        yield question.chunk("", thinking=thought)
    for number, word in enumerate(said.words):
        if behaviour.cut_stream_after is not None and number >= behaviour.cut_stream_after:
            raise ConnectionResetError("the double was told to cut this stream")
        if behaviour.fail_stream_with and number >= 2:
            yield {"error": behaviour.fail_stream_with}
            return
        await asyncio.sleep(pause)
        yield {**question.chunk(word), **_logprobs(question, word)}
    tokens = max(1, len(said.thoughts) + len(said.words))
    load_seconds = (grant.load_seconds if grant else 0.0) or _FOUND_LOADED_SECONDS
    yield {
        **question.chunk(""),
        "done": True,
        "done_reason": said.done_reason,
        # The conversation so far, in tokens: only completions have it.
        **({"context": list(range(prompt.tokens + tokens))} if question.key == "response" else {}),
        "total_duration": nanoseconds(load_seconds + prompt_seconds + tokens * token_seconds),
        "load_duration": nanoseconds(load_seconds),
        "prompt_eval_count": prompt.tokens,
        "prompt_eval_duration": max(1, nanoseconds(prompt_seconds)),
        "eval_count": tokens,
        "eval_duration": max(1, nanoseconds(tokens * token_seconds)),
    }


async def whole(chunks: AsyncIterator[Chunk], key: str) -> Chunk:
    """The chunks put together, as with `stream: false`; an error in their midst is a chunk of its own."""
    parts: dict[str, str] = {}
    lists: dict[str, list[Any]] = {}
    last: Chunk = {}
    async for chunk in chunks:
        if "error" in chunk:
            return chunk
        last = chunk
        place = chunk[key] if key == "message" else chunk
        for name in ("thinking", "content", "response"):
            if isinstance(place.get(name), str):
                parts[name] = parts.get(name, "") + place[name]
        for name, holder in (("tool_calls", place), ("logprobs", chunk)):
            if name in holder:
                lists.setdefault(name, []).extend(holder[name])
    logprobs = {"logprobs": lists.pop("logprobs")} if "logprobs" in lists else {}
    if key == "message":
        return {**last, "message": {"role": "assistant", **parts, **lists}, **logprobs}
    return {**last, **parts, **lists, **logprobs}
