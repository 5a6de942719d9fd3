"""Whatever goes wrong, the chat says so in one sentence, and shows no traceback."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from installer.client import OpenWebUIClient
from installer.errors import InstallError
from tests.e2e.api import add_model, chat
from tests.e2e.browser import Person
from tests.e2e.conftest import Backends, Installed


def expect_only(person: Person, sentence: str | re.Pattern[str]) -> None:
    """The sentence is in the chat, and no traceback."""
    person.sees(sentence)
    assert "Traceback" not in person.page.locator("body").inner_text()


def test_a_model_that_is_gone(person: Person, admin: OpenWebUIClient) -> None:
    add_model(admin, "outdated", "rightsize.huge")
    person.new_chat("outdated")
    person.say("hello")
    expect_only(person, "Model not found")


def test_a_model_that_never_was(admin: OpenWebUIClient) -> None:
    with pytest.raises(InstallError, match="Model not found"):
        chat(admin, "no-such-model", "hello")


def test_ollama_is_down(person: Person, backends: Backends) -> None:
    person.new_chat()
    backends.ollama.stop()
    person.say("What time zone is Tokyo in?")
    expect_only(
        person,
        re.compile(r"demo-small:3b could not answer \(.+\): check that its server is running, or pick another model"),
    )
    person.screenshot("ollama-down")
    backends.ollama.start()
    person.say("And in Lima?")
    person.sees("This is demo-small:3b")


def test_ollama_is_down_and_there_is_personal_data_for_the_cloud(person: Person, backends: Backends) -> None:
    person.new_chat("demo-cloud-pro")
    backends.ollama.stop()
    person.say("My name is Ada Downcanary, call me on +44 20 7946 0958.")
    expect_only(person, re.compile(r"demo-small:3b could not answer \(.+\): check that its server is running"))
    assert "Downcanary" not in backends.sent_to_cloud()


@pytest.mark.parametrize("model", ["rightsize-auto", "rightsize.small"])
def test_an_empty_message(admin: OpenWebUIClient, model: str) -> None:
    error = chat(admin, model, "  \n ")["error"]
    assert error == {"detail": "The message is empty: type a question or attach a file, then send it again."}


def test_an_empty_message_is_not_sent_from_the_browser(person: Person, backends: Backends) -> None:
    person.new_chat()
    backends.ollama_behaviour.requests.clear()
    person.say("   ")
    person.page.wait_for_timeout(1_000)
    assert not [request for request in backends.ollama_behaviour.requests if request["path"] == "/api/chat"]


@contextmanager
def saved_valves(installed: Installed, function_id: str, valves: dict[str, object]) -> Iterator[None]:
    """Valves as an older version may have left them in the database: the admin panel refuses to save such."""

    def save(value: str | None) -> None:
        with closing(sqlite3.connect(installed.data / "webui.db")) as database, database:
            database.execute("UPDATE function SET valves = ? WHERE id = ?", (value, function_id))

    save(json.dumps(valves))
    try:
        yield
    finally:
        save(None)


def test_a_broken_valve_of_the_pipe(person: Person, installed: Installed) -> None:
    with saved_valves(installed, "rightsize", {"tier_overrides": "demo-small:3b=huge"}):
        person.new_chat()
        person.say("hello")
        expect_only(person, re.compile("The Rightsize valve 'tier_overrides' cannot be used .*: ask an administrator"))
        person.screenshot("broken-valve")


def test_a_broken_valve_of_the_guard_stops_the_cloud_and_not_local_models(
    person: Person, installed: Installed, backends: Backends
) -> None:
    with saved_valves(installed, "privacy_guard", {"phone_regions": "Germany"}):
        person.new_chat("demo-cloud-pro")
        person.say("What is a Valvecanary?")
        expect_only(person, re.compile("The Rightsize valve 'phone_regions' cannot be used"))
    assert "Valvecanary" not in backends.sent_to_cloud()


def test_a_broken_valve_is_not_saved(admin: OpenWebUIClient) -> None:
    with pytest.raises(InstallError, match="400"):
        admin.call("POST", "/api/v1/functions/id/rightsize/valves/update", json={"medium_up_to_billion": 1})


def test_more_than_a_megabyte(person: Person) -> None:
    person.new_chat()
    person.say("word " * 300_000)
    expect_only(
        person,
        re.compile(r"needs about 37\d,\d{3} tokens, more than the 262,144 that the largest local model can read"),
    )


def test_a_stream_that_is_cut(person: Person, backends: Backends) -> None:
    backends.ollama_behaviour.cut_stream_after = 4
    backends.ollama_behaviour.seconds_per_piece = 0.05
    person.new_chat()
    person.say("What time zone is Tokyo in?")
    expect_only(person, "The answer from demo-small:3b was cut off before its end: press Regenerate")
    person.sees(re.compile(r"^\[Demo"))
    person.screenshot("cut-stream")


@pytest.mark.parametrize(
    ("wrong", "value", "sentence"),
    [
        ("cut_stream_after", 4, "The answer from demo-small:3b was cut off before its end: press Regenerate"),
        ("fail_stream_with", "runner died", "demo-small:3b could not answer (runner died): check that its server"),
    ],
)
def test_a_stream_that_breaks_after_the_guard_has_moved_the_message(
    person: Person, backends: Backends, wrong: str, value: object, sentence: str
) -> None:
    setattr(backends.ollama_behaviour, wrong, value)
    backends.ollama_behaviour.seconds_per_piece = 0.05
    person.new_chat("demo-cloud-pro")
    person.say("My name is Ada Cutcanary, call me on +44 20 7946 0958.")
    person.sees("Kept local: demo-small:3b")
    expect_only(person, sentence)
    person.sees(re.compile(r"^\[Demo"))


def test_a_cloud_stream_that_is_cut(person: Person, backends: Backends) -> None:
    backends.cloud_behaviour.cut_stream_after = 4
    person.new_chat("rightsize-frontier")
    person.say("How far is the moon?")
    expect_only(person, "The answer from demo-cloud-pro was cut off before its end")


def test_an_error_in_the_midst_of_a_stream(person: Person, backends: Backends) -> None:
    backends.ollama_behaviour.fail_stream_with = "llama runner process has terminated"
    person.new_chat()
    person.say("What time zone is Tokyo in?")
    expect_only(person, re.compile("llama runner process has terminated|was cut off before its end"))


def test_a_model_that_refuses(person: Person, backends: Backends) -> None:
    backends.ollama_behaviour.refuse_with = "CUDA error: out of memory"
    person.new_chat()
    person.say("What time zone is Tokyo in?")
    expect_only(person, re.compile(r"demo-small:3b could not answer \(.*out of memory.*\): check that its server"))
