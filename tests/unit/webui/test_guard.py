"""The privacy guard: whatever model was selected, personal data goes to a local one or nowhere."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from filters.privacy_guard import Filter
from rightsize.errors import BackendFailed, GuardNotInPlace, InvalidValve, PersonalDataBlocked, UnexpectedFailure
from rightsize_webui.egress import KEPT_LOCAL
from tests.unit.core.build import openai_entry
from tests.unit.webui.host import CLOUD, HARD, LARGE, PRIVATE, SMALL, USER, FakeHost, Status, body, read, run


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


def inlet(guard: Filter, form: dict[str, Any], status: Status | None = None, **metadata: Any) -> dict[str, Any]:
    """What the guard makes of a message."""
    model = {"id": form.get("model"), "name": "GPT-5"}
    return dict(run(guard.inlet(form, USER, None, metadata, model, status)))


def before_call(guard: Filter, form: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """What the guard makes of a request that is about to go out."""
    return dict(run(guard.request(form, USER, None, metadata, {"id": form.get("model"), "name": "GPT-5"}, None)))


def test_a_message_with_personal_data_is_moved_to_a_local_model_with_the_reason(host: FakeHost) -> None:
    status = Status()
    assert inlet(Filter(host), body(PRIVATE, CLOUD), status)["model"] == SMALL
    assert status.lines == [f"Kept local: {SMALL} (small) answers instead of GPT-5, for a name and a phone number."]


def test_other_messages_go_where_they_were_going(host: FakeHost) -> None:
    status = Status()
    form = body("What time zone is Tokyo in?", CLOUD)
    assert inlet(Filter(host), form, status) == form
    assert status.lines == []


def test_a_local_model_may_have_it_all(host: FakeHost) -> None:
    form = body(PRIVATE, LARGE)
    assert inlet(Filter(host), form) == form


def test_a_preset_is_followed_to_its_model(host: FakeHost) -> None:
    host.known["mine"] = {"id": "mine", "preset": True, "info": {"base_model_id": CLOUD}}
    host.known["ours"] = {"id": "ours", "preset": True, "info": {"base_model_id": LARGE}}
    host.known["loop"] = {"id": "loop", "preset": True, "info": {"base_model_id": "loop"}}
    assert inlet(Filter(host), body(PRIVATE, "mine"))["model"] == SMALL
    assert inlet(Filter(host), body(PRIVATE, "ours"))["model"] == "ours"
    assert inlet(Filter(host), body(PRIVATE, "loop"))["model"] == SMALL
    assert inlet(Filter(host), body(PRIVATE, "unheard-of"))["model"] == SMALL


def test_a_function_is_trusted_only_if_it_says_that_it_keeps_personal_data_local(host: FakeHost) -> None:
    for name in ("rightsize", "claude"):
        host.known[f"{name}.x"] = {**openai_entry(f"{name}.x"), "pipe": {"type": "pipe"}}
    host.attributes = {"rightsize": True, "claude": "yes"}
    assert inlet(Filter(host), body(PRIVATE, "rightsize.x"))["model"] == "rightsize.x"
    assert inlet(Filter(host), body(PRIVATE, "claude.x"))["model"] == SMALL


def test_a_retrieved_document_is_seen_before_the_model_call(host: FakeHost) -> None:
    guard, metadata = Filter(host), dict[str, Any]()
    form = body("Summarize the document.", CLOUD, temperature=0.2)
    assert inlet(guard, form)["model"] == CLOUD
    form["messages"].insert(0, {"role": "system", "content": f"<source>{PRIVATE}</source>"})
    moved = before_call(guard, form, metadata)
    assert moved["model"] == SMALL
    assert moved["options"]["temperature"] == 0.2


@pytest.mark.parametrize(
    ("show", "words", "kept"),
    [
        ({"capabilities": ["completion", "tools"]}, 1, True),
        ({"capabilities": ["completion"]}, 1, False),
        ({"capabilities": ["completion", "tools"], "model_info": {"llama.context_length": 4096}}, 20_000, False),
    ],
    ids=["it can use them", "it has no tools", "they do not fit"],
)
def test_tools_go_along_only_to_a_local_model_that_can_take_them(
    host: FakeHost, show: dict[str, Any], words: int, kept: bool
) -> None:
    del host.known[LARGE]
    host.shows[SMALL] = show
    tool = {"type": "function", "function": {"name": "look_up", "description": "word " * words}}
    guard, metadata = Filter(host), dict[str, Any]()
    form = inlet(guard, body(PRIVATE, CLOUD, tools=[tool], tool_choice="auto"), **metadata)
    metadata[KEPT_LOCAL] = "ollama"
    moved = before_call(guard, form, metadata)
    assert moved["model"] == SMALL
    assert ("tools" in moved, "tool_choice" in moved) == (kept, kept)


def test_a_long_request_is_given_the_context_it_needs(host: FakeHost) -> None:
    host.shows[SMALL] = {"model_info": {"llama.context_length": 131_072}, "capabilities": ["completion"]}
    guard, metadata = Filter(host), dict[str, Any]()
    moved = dict(run(guard.inlet(body(PRIVATE, CLOUD), USER, None, metadata, {"id": CLOUD}, None)))
    moved["messages"].append({"role": "system", "content": "word " * 8_000})
    assert before_call(guard, moved, metadata)["options"]["num_ctx"] == 16_384
    long = {**body(f"{PRIVATE} {'word ' * 8_000}", CLOUD), "metadata": {"task": "title_generation"}}
    assert send(host, "openai", long)[1]["options"]["num_ctx"] == 16_384


def test_a_preset_whose_system_prompt_names_the_user_is_moved(host: FakeHost) -> None:
    host.known["mine"] = {"id": "mine", "preset": True, "info": {"base_model_id": CLOUD}}
    host.system_prompts["mine"] = "The user's name is Ada Lovelace, ada@example.org."
    status = Status()
    assert inlet(Filter(host), body("What time zone is Tokyo in?", "mine"), status)["model"] == SMALL
    assert status.lines[0].endswith("for a name and an email address.")


def test_background_work_is_moved_to_the_small_model(host: FakeHost) -> None:
    Filter(host)
    form = {**body(f"{HARD} {PRIVATE}", CLOUD), "metadata": {"task": "title_generation"}}
    assert send(host, "openai", form)[1]["model"] == SMALL


def test_a_preset_that_was_overruled_keeps_its_system_prompt(host: FakeHost) -> None:
    host.system_prompts[CLOUD] = "Be brief."
    moved = before_call(Filter(host), body(PRIVATE, CLOUD), {})
    assert moved["messages"][0] == {"role": "system", "content": "Be brief."}
    again = before_call(Filter(host), {**moved, "model": CLOUD}, {})
    assert [message["role"] for message in again["messages"]] == ["system", "user"]


def test_without_a_local_model_nothing_is_sent(host: FakeHost) -> None:
    host.hidden = {SMALL, LARGE}
    with pytest.raises(PersonalDataBlocked, match="a name and a phone number and no local model"):
        inlet(Filter(host), body(PRIVATE, CLOUD))


@pytest.mark.parametrize("function_id", ["rightsize", "privacy_guard"])
def test_a_broken_valve_stops_what_was_bound_for_the_cloud(host: FakeHost, function_id: str) -> None:
    host.valves = (
        {"rightsize": {"tier_overrides": "x"}}
        if function_id == "rightsize"
        else {"privacy_guard": {"phone_regions": "x"}}
    )
    with pytest.raises(InvalidValve):
        inlet(Filter(host), body("hello", CLOUD))


def test_a_failure_of_the_check_stops_the_message(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> Any:
        raise RuntimeError(PRIVATE)

    monkeypatch.setattr(host, "entries", fail)
    guard = Filter(host)
    with pytest.raises(UnexpectedFailure) as caught:
        inlet(guard, body("hello", CLOUD))
    assert "Lovelace" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(UnexpectedFailure):
        run(host.chat.generate_openai_chat_completion(request=None, form_data=body("hello", CLOUD), user=None))


def test_where_the_guard_does_not_fit_nothing_is_sent(host: FakeHost) -> None:
    host.chat = SimpleNamespace(generate_openai_chat_completion=None)
    with pytest.raises(GuardNotInPlace, match="does not fit this version of Open WebUI"):
        inlet(Filter(host), body("hello", SMALL))


def send(host: FakeHost, sender: str, form: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Send a request as Open WebUI does, past the filters."""
    name, sent = run(getattr(host.chat, f"generate_{sender}_chat_completion")(request=None, form_data=form, user=None))
    return str(name), dict(sent)


def test_calls_that_no_filter_sees_are_checked_too(host: FakeHost) -> None:
    Filter(host)
    assert send(host, "openai", body("hello", CLOUD)) == ("openai", body("hello", CLOUD))
    name, sent = send(host, "openai", body(PRIVATE, CLOUD))
    assert (name, sent["model"]) == ("chat", SMALL)
    name, sent = send(host, "direct", body(PRIVATE, "users-own"))
    assert (name, sent["model"]) == ("chat", SMALL)


def test_an_ollama_cloud_model_is_replaced_by_an_ollama_model(host: FakeHost) -> None:
    host.known["big:cloud"] = {**host.known[LARGE], "id": "big:cloud"}
    Filter(host)
    name, sent = send(host, "ollama", body(PRIVATE, "big:cloud"))
    assert (name, sent["model"]) == ("ollama", SMALL)
    assert send(host, "ollama", body(PRIVATE, LARGE))[1]["model"] == LARGE


def test_a_request_in_ollamas_own_form_stays_in_it(host: FakeHost) -> None:
    host.known["big:cloud"] = {**host.known[LARGE], "id": "big:cloud"}
    Filter(host)
    form = body(f"{PRIVATE} {'word ' * 8_000}", "big:cloud", keep_alive="5m", options={"seed": 1})
    _, sent = send(host, "ollama", form)
    assert (sent["keep_alive"], sent["options"]) == ("5m", {"seed": 1, "num_ctx": 16_384})


@pytest.mark.parametrize(("metadata", "error"), [({KEPT_LOCAL: "ollama"}, BackendFailed), ({}, ConnectionError)])
def test_a_moved_request_that_fails_names_the_local_model(
    host: FakeHost, metadata: dict[str, Any], error: type[Exception]
) -> None:
    async def down(**_: Any) -> None:
        raise ConnectionError("connection refused")

    host.chat.generate_ollama_chat_completion = down
    Filter(host)
    with pytest.raises(error, match="connection refused"):
        send(host, "ollama", {**body(PRIVATE, SMALL), "metadata": metadata})


@pytest.mark.parametrize(("sender", "model"), [("ollama", SMALL), ("openai", "local-vllm")])
def test_a_moved_request_whose_answer_breaks_off_says_so(host: FakeHost, sender: str, model: str) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"{}"

    async def sends(**_: Any) -> StreamingResponse:
        return StreamingResponse(cut())

    async def whole() -> str:
        send = getattr(host.chat, f"generate_{sender}_chat_completion")
        form = {**body("hello", model), "metadata": {KEPT_LOCAL: sender}}
        return await read(await send(request=None, form_data=form, user=None))

    setattr(host.chat, f"generate_{sender}_chat_completion", sends)
    Filter(host)
    assert f"The answer from {model} was cut off" in run(whole())


def test_a_guard_that_is_switched_off_lets_everything_through(host: FakeHost) -> None:
    Filter(host)
    host.switched_on = False
    assert send(host, "openai", body(PRIVATE, CLOUD)) == ("openai", body(PRIVATE, CLOUD))


def test_loading_the_guard_again_does_not_check_twice(host: FakeHost) -> None:
    first = host.chat.generate_openai_chat_completion
    for _ in range(3):
        Filter(host)
    assert host.chat.generate_openai_chat_completion.rightsize_wrapped is first
