"""Personal data never reaches the cloud: every byte sent there is searched for canaries."""

import re
from pathlib import Path

import pytest

from installer.client import OpenWebUIClient
from tests.e2e.api import add_model, answer
from tests.e2e.browser import Person
from tests.e2e.conftest import Backends, Installed
from tests.servers import EMAIL

CLOUD = "demo-cloud-pro"


def message(canary: str) -> str:
    """A message with a name and a telephone number, both marked."""
    return f"My name is Ada {canary}, call me on +44 20 7946 0958 about the invoice."


def expect_local_only(backends: Backends, *canaries: str) -> None:
    """Every canary has reached a local model, and none the cloud."""
    for canary in canaries:
        assert canary in backends.sent_to_ollama()
        assert canary not in backends.sent_to_cloud()


def test_what_is_not_personal_reaches_the_cloud_and_is_seen_there(person: Person, backends: Backends) -> None:
    """Without this, a search that cannot find anything would pass."""
    person.new_chat(CLOUD)
    person.say('What is a "Hügelkultur-Opencanary"?')
    person.sees("This is demo-cloud-pro")
    assert "Hügelkultur-Opencanary" in backends.sent_to_cloud()


def test_personal_data_for_a_cloud_model_is_answered_locally_with_the_reason(
    person: Person, backends: Backends
) -> None:
    person.new_chat()
    person.pick(CLOUD)
    person.say(message("Chatcanary"))
    person.sees("Kept local: demo-small:3b (small) answers instead of demo-cloud-pro, for a name and a phone number.")
    person.sees("This is demo-small:3b")
    person.screenshot("kept-local")
    # The chat's title, tags and follow-up questions are made from the same message.
    person.sees_chat_title("Demo chat")
    person.page.wait_for_timeout(1_500)
    expect_local_only(backends, "Chatcanary")

    person.say("Thanks, and what did I just tell you?")
    person.page.get_by_text("Kept local").nth(1).wait_for()
    person.page.get_by_text("This is demo-small:3b").nth(1).wait_for()
    expect_local_only(backends, "Chatcanary")


@pytest.mark.parametrize("preset", ["Frontier", "Auto", "Private"])
def test_presets_keep_personal_data_local(person: Person, backends: Backends, preset: str) -> None:
    canary = f"Preset{preset.lower()}canary"
    person.new_chat()
    person.pick(preset)
    person.say(f"{message(canary)} Design, analyze, compare, evaluate and prove everything in depth, step by step.")
    person.sees(re.compile(r"demo-large:32b .*a name and a phone number"))
    person.sees("This is demo-large:32b")
    person.sees_chat_title("Demo chat")
    person.page.wait_for_timeout(1_500)
    expect_local_only(backends, canary)


def test_a_mention_of_a_cloud_model_does_not_send_personal_data_there(person: Person, backends: Backends) -> None:
    person.new_chat()
    person.mention(CLOUD, message("Mentioncanary"))
    person.sees("Kept local: demo-small:3b")
    person.sees("This is demo-small:3b")
    expect_local_only(backends, "Mentioncanary")


def test_side_by_side_both_answers_are_local(person: Person, backends: Backends) -> None:
    person.new_chat()
    person.pick_two("Quick assistant", CLOUD)
    person.say(message("Sidecanary"))
    person.page.get_by_text("This is demo-small:3b").nth(1).wait_for()
    expect_local_only(backends, "Sidecanary")


def test_an_ollama_cloud_model_is_no_local_model(person: Person, backends: Backends) -> None:
    backends.ollama_behaviour.requests.clear()
    person.new_chat()
    person.pick("demo-remote:120b-cloud")
    person.say(message("Remotecanary"))
    person.sees("Kept local: demo-small:3b (small) answers instead of demo-remote:120b-cloud")
    person.sees("This is demo-small:3b")
    person.sees_chat_title("Demo chat")
    person.page.wait_for_timeout(1_500)
    asked = {request.get("model") for request in backends.ollama_behaviour.requests if request["path"] == "/api/chat"}
    assert "demo-small:3b" in asked
    assert "demo-remote:120b-cloud" not in asked


def test_a_documents_text_stays_local(person: Person, backends: Backends, tmp_path: Path) -> None:
    document = tmp_path / "letter.txt"
    document.write_text(
        "Dear Ms Documentcanary, your appointment is confirmed. Call +44 20 7946 0321 to change it.", encoding="utf-8"
    )
    person.new_chat(CLOUD)
    person.attach(document)
    person.page.wait_for_timeout(1_500)
    person.say("Summarize the document.")
    person.sees("Kept local: demo-small:3b (small) answers instead of demo-cloud-pro")
    person.sees("This is demo-small:3b")
    person.sees_chat_title("Demo chat")
    person.page.wait_for_timeout(1_500)
    expect_local_only(backends, "Documentcanary")


def test_a_tools_result_stays_local(person: Person, backends: Backends, admin: OpenWebUIClient, tool: str) -> None:
    add_model(admin, "cloud-tool", CLOUD, params={"function_calling": "native"}, meta={"toolIds": [tool]})
    person.new_chat("cloud-tool")
    person.say("Please use look_up_customer for number 7.")
    person.sees("Kept local:")
    person.sees(re.compile("This is demo-small:3b.*A tool answered: .*Toolcanary"))
    assert "look_up_customer for number 7" in backends.sent_to_cloud()
    expect_local_only(backends, "Toolcanary")


def test_a_system_prompt_with_the_users_email_stays_local(admin: OpenWebUIClient, backends: Backends) -> None:
    prompt = {"system": "You are talking to Ada Promptcanary, {{USER_EMAIL}}."}
    add_model(admin, "cloud-prompt", CLOUD, params=prompt)
    assert "This is demo-small:3b" in answer(admin, "cloud-prompt", "How far is the moon?")
    expect_local_only(backends, "Promptcanary", EMAIL)


def test_a_memory_stays_local(admin: OpenWebUIClient, backends: Backends) -> None:
    admin.call("POST", "/api/v1/memories/add", json={"content": "User's name is Grace Memorycanary"})
    features = {"memory": True}
    text = answer(admin, CLOUD, "User's name", features=features)
    assert "demo-small:3b" in text
    expect_local_only(backends, "Memorycanary")


def test_a_program_that_asks_a_cloud_model_is_answered_locally(admin: OpenWebUIClient, backends: Backends) -> None:
    assert "This is demo-cloud-pro" in answer(admin, CLOUD, "How far is the moon?")
    assert "This is demo-small:3b" in answer(admin, CLOUD, message("Programcanary"))
    expect_local_only(backends, "Programcanary")


@pytest.mark.parametrize("task", ["title", "tags", "follow_up", "queries", "auto"])
def test_a_background_task_asked_for_by_itself_is_checked(
    admin: OpenWebUIClient, backends: Backends, task: str
) -> None:
    canary = f"Task{task.replace('_', '')}canary"
    body = {
        "model": CLOUD,
        "messages": [{"role": "user", "content": message(canary)}],
        "prompt": message(canary),
        "type": "web_search" if task == "queries" else "general",
    }
    if task == "auto":
        config = admin.call("GET", "/api/v1/tasks/config")
        admin.call("POST", "/api/v1/tasks/config/update", json={**config, "ENABLE_AUTOCOMPLETE_GENERATION": True})
    admin.call("POST", f"/api/v1/tasks/{task}/completions", json=body)
    expect_local_only(backends, canary)


def test_no_log_holds_what_was_said(installed: Installed) -> None:
    """Runs last in this file: after everything above, the server's log is searched for every canary."""
    assert "canary" not in installed.log.replace("ottoline@toolcanary", "")
