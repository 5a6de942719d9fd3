"""The pipe, from a chat completion body to the chosen model's answer."""

import json
import logging
from typing import Any

import pytest
from starlette.responses import JSONResponse

from pipelines.rightsize import Pipe
from rightsize.errors import BackendFailed, EmptyMessage, InvalidValve
from tests.unit.webui.host import (
    CLOUD,
    HARD,
    HELLO,
    LARGE,
    PRIVATE,
    SMALL,
    USER,
    FakeHost,
    Status,
    body,
    read,
    run,
    sse,
)


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def status() -> Status:
    return Status()


def ask(host: FakeHost, status: Status | None, form: dict[str, Any], **more: Any) -> str:
    """The pipe's streamed answer."""

    async def whole() -> str:
        return await read(await Pipe(host).pipe(form, USER, None, {}, status, **more))  # type: ignore[arg-type]

    return str(run(whole()))


def error_in(answer: str) -> str:
    """The error that a stream carries."""
    return str(json.loads(answer.split("\n")[0].removeprefix("data: "))["error"]["message"])


def test_the_manifold() -> None:
    names = {
        "auto": "Auto",
        "small": "Small",
        "medium": "Medium",
        "large": "Large",
        "frontier": "Frontier",
        "local": "Local",
    }
    assert run(Pipe(FakeHost()).pipes()) == [{"id": key, "name": name} for key, name in names.items()]


def test_listing_the_models_puts_the_guard_in_place(host: FakeHost) -> None:
    run(Pipe(host).pipes())
    assert host.loaded == ["privacy_guard"]


def test_the_answer_is_passed_on_as_it_comes(host: FakeHost, status: Status) -> None:
    answer = ask(host, status, body("What time zone is Tokyo in?"))
    assert answer == b"".join(HELLO).decode()
    assert host.completed[0]["model"] == SMALL
    assert status.lines == [f"{SMALL} answers (small, local): a short, simple question."]


def test_hard_requests_go_to_a_larger_model(host: FakeHost) -> None:
    ask(host, None, body(HARD))
    assert host.completed[0]["model"] == LARGE


def test_what_is_put_around_the_question_does_not_make_it_hard(host: FakeHost) -> None:
    form = body(f"{HARD}\n<context>A letter.</context>\nWho wrote it?")
    run(Pipe(host).pipe(form, USER, None, {"base_user_prompt": "Who wrote it?"}))
    assert host.completed[0]["model"] == SMALL


def test_tools_images_and_stream_options_go_along(host: FakeHost) -> None:
    host.valves["privacy_guard"] = {"attachments_stay_local": False}
    host.shows[LARGE] = {"capabilities": ["completion", "vision", "tools"]}
    host.shows[SMALL] = {"capabilities": ["completion"]}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    form = body("", tools=[{"type": "function"}], stream_options={"include_usage": True}, temperature=0.3)
    form["messages"][0]["content"] = [{"type": "text", "text": "What is this?"}, image]
    ask(host, None, form)
    sent = host.completed[0]
    assert sent["model"] == LARGE
    assert sent["messages"][0]["content"][1] == image
    assert sent["tools"] == [{"type": "function"}]
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["options"]["temperature"] == 0.3


def test_tools_that_no_model_can_use_are_left_out_with_a_word(host: FakeHost, status: Status) -> None:
    host.shows = {name: {"capabilities": ["completion"]} for name in (SMALL, LARGE)}
    ask(host, status, body("hello", tools=[{"type": "function"}], tool_choice="auto"))
    assert "tools" not in host.completed[0]
    assert "tool_choice" not in host.completed[0]
    assert "tools" in status.lines[0]


@pytest.mark.parametrize("route", ["auto", "small", "medium", "large", "frontier", "local"])
def test_personal_data_never_goes_to_the_cloud(host: FakeHost, status: Status, route: str) -> None:
    ask(host, status, body(f"{HARD} {PRIVATE}", f"rightsize.{route}"))
    assert host.completed[0]["model"] != CLOUD
    assert "a name and a phone number" in status.lines[0]


def test_a_model_the_user_may_not_use_is_never_chosen(host: FakeHost) -> None:
    host.hidden = {SMALL}
    ask(host, None, body("hello"))
    assert host.completed[0]["model"] == LARGE
    host.hidden = {SMALL, LARGE, CLOUD}
    assert "No local model is available" in error_in(ask(host, None, body("hello")))
    assert len(host.completed) == 1


def test_a_background_task_goes_to_the_small_model_without_a_word(host: FakeHost, status: Status) -> None:
    ask(host, status, body(HARD, "rightsize.frontier"), __task__="title_generation")
    assert host.completed[0]["model"] == SMALL
    assert status.lines == []


def test_the_line_is_not_repeated_after_a_tool(host: FakeHost, status: Status) -> None:
    form = body("What is the weather?")
    form["messages"] += [{"role": "assistant", "content": "", "tool_calls": []}, {"role": "tool", "content": "sunny"}]
    ask(host, status, form)
    assert status.lines == []


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (body("hello", "rightsize.huge"), "Rightsize has no model called 'huge'"),
        (body("hello", "rightsize"), "Rightsize has no model called ''"),
        (body("   "), "The message is empty"),
        ({"model": "rightsize.auto", "stream": True}, "The message is empty"),
        (body("a" * 5_000_000), "more than the 131,072"),
    ],
)
def test_bad_input_gives_one_sentence(host: FakeHost, form: dict[str, Any], sentence: str) -> None:
    host.shows = {name: {"model_info": {"x.context_length": 131_072}} for name in (SMALL, LARGE)}
    answer = ask(host, None, form)
    assert sentence in error_in(answer)
    assert answer.endswith("data: [DONE]\n\n")
    assert host.completed == []


def test_without_a_stream_the_error_is_raised(host: FakeHost) -> None:
    with pytest.raises(EmptyMessage):
        ask(host, None, {**body(""), "stream": False})


@pytest.mark.parametrize("function_id", ["rightsize", "privacy_guard"])
def test_a_broken_valve_is_reported(host: FakeHost, function_id: str) -> None:
    pipe = Pipe(host)
    if function_id == "rightsize":
        pipe.valves = pipe.Valves(tier_overrides="nonsense")
        with pytest.raises(InvalidValve):
            pipe.valves.model_dump()
    else:
        host.valves[function_id] = {"phone_regions": "everywhere"}
    with pytest.raises(InvalidValve, match=r"valve '.*' cannot be used .*: ask an administrator"):
        run(pipe.pipe({**body("hello"), "stream": False}, USER, None))


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (JSONResponse({"error": {"message": "no such model"}}, 404), "no such model"),
        (JSONResponse({"detail": "not allowed"}, 403), "not allowed"),
        (JSONResponse("x", 502), "x"),
        ({"error": {"detail": "out of memory"}}, "out of memory"),
        ("text", "it sent no answer"),
    ],
)
def test_a_backend_that_refuses_gives_one_sentence(host: FakeHost, response: Any, words: str) -> None:
    host.response = response
    sentence = error_in(ask(host, None, body("hello")))
    assert sentence.startswith(f"{SMALL} could not answer ({words})")


def test_a_backend_that_is_down_gives_one_sentence(host: FakeHost) -> None:
    host.error = ConnectionError("Connection refused\nsecond line")
    assert f"{SMALL} could not answer (Connection refused)" in error_in(ask(host, None, body("hello")))
    with pytest.raises(BackendFailed):
        run(Pipe(host).pipe({**body("hello"), "stream": False}, USER, None))


@pytest.mark.parametrize("lines", [HELLO[:1], sse({"choices": [{"delta": {"content": "Hel"}}]}, "[DONE]"), []])
def test_a_stream_that_is_cut_says_so_and_keeps_what_came(host: FakeHost, lines: list[bytes]) -> None:
    host.lines = lines
    answer = ask(host, None, body("hello"))
    assert answer.startswith("".join(line.decode() for line in lines if b"DONE" not in line))
    assert f"The answer from {SMALL} was cut off" in answer
    assert answer.count("[DONE]") == 1


def test_an_error_inside_a_stream_is_passed_on_alone(host: FakeHost) -> None:
    host.lines = sse({"error": {"message": "CUDA out of memory"}})
    answer = ask(host, None, body("hello"))
    assert "CUDA out of memory" in answer
    assert "cut off" not in answer


def test_what_was_not_foreseen_keeps_the_message_out_of_chat_and_log(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> Any:
        raise KeyError(PRIVATE)

    monkeypatch.setattr(host, "connections", fail)
    with caplog.at_level(logging.DEBUG):
        sentence = error_in(ask(host, None, body(PRIVATE)))
    assert "internal error KeyError" in sentence
    assert "KeyError at" in caplog.text
    assert "Lovelace" not in sentence + caplog.text


def test_ollama_is_asked_about_each_model_once(host: FakeHost) -> None:
    host.shows = {name: {"capabilities": ["completion"]} for name in (SMALL, LARGE)}
    pipe = Pipe(host)

    async def twice() -> None:
        for _ in range(2):
            await pipe.pipe(body("hello"), USER, None)

    run(twice())
    assert sorted(host.shown) == sorted([SMALL, LARGE])
