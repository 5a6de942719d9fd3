"""What a newcomer does in the browser: pick, ask, mention, compare, stop."""

import re
from pathlib import Path

from installer.client import OpenWebUIClient
from tests.e2e.api import add_model, chat
from tests.e2e.browser import Person
from tests.e2e.conftest import Backends

ROOT = Path(__file__).resolve().parents[2]
HARD = (
    "Prove by induction that a full binary tree with n leaves has n - 1 inner nodes, then analyze step by step "
    "how the proof changes for trees that are not full."
)


def test_auto_sends_a_short_question_to_the_small_model(person: Person) -> None:
    person.new_chat()
    person.pick("Auto")
    person.say("What time zone is Tokyo in?")
    person.sees("demo-small:3b answers (small, local): a short, simple question.")
    person.sees(re.compile(r"This is demo-small:3b, .* message of 6 words reached it"))
    person.screenshot("auto-small")


def test_auto_sends_a_hard_request_to_a_larger_model(person: Person) -> None:
    person.new_chat()
    person.pick("Auto")
    person.say(HARD)
    person.sees(re.compile(r"demo-large:32b answers \(large, local\): mathematics; analysis"))
    person.sees("This is demo-large:32b")
    person.screenshot("auto-large")


def test_the_menu_offers_the_presets_first(person: Person) -> None:
    person.new_chat()
    person.open_model_menu()
    names = person.page.get_by_role("option").evaluate_all("options => options.map(o => o.getAttribute('aria-label'))")
    person.screenshot("model-menu")
    person.page.keyboard.press("Escape")
    assert names[0] == "Select Auto model"
    presets = ("Auto", "Coder", "Deep work", "Frontier", "Private", "Quick assistant", "Writer")
    assert set(names[:7]) == {f"Select {name} model" for name in presets}


def test_a_preset_brings_its_prompt_parameters_and_suggestions(person: Person, backends: Backends) -> None:
    person.new_chat()
    person.pick("Deep work")
    person.sees("a migration in phases, with its risks")
    backends.ollama_behaviour.requests.clear()
    person.say("hello")
    person.sees("demo-large:32b answers (large, local): the large tier was picked.")
    person.sees("This is demo-large:32b")
    sent = next(
        r for r in backends.ollama_behaviour.requests if r["path"] == "/api/chat" and r["model"] == "demo-large:32b"
    )
    assert sent["options"]["num_ctx"] == 32_768
    assert sent["options"]["temperature"] == 0.5
    assert sent["messages"][0]["role"] == "system"
    assert "careful expert" in sent["messages"][0]["content"]


def test_mentioning_another_model_sends_the_message_there(person: Person) -> None:
    person.new_chat()
    person.pick("Quick assistant")
    person.mention("Deep work", "hello there")
    person.sees("demo-large:32b answers (large, local): the large tier was picked.")
    person.screenshot("mention")


def test_two_models_side_by_side(person: Person) -> None:
    person.new_chat()
    person.pick_two("Quick assistant", "Deep work")
    person.say("How far is the moon?")
    person.sees("This is demo-small:3b")
    person.sees("This is demo-large:32b")
    person.screenshot("side-by-side")


def test_the_stop_button_stops_the_model(person: Person, backends: Backends) -> None:
    behaviour = backends.ollama_behaviour
    behaviour.seconds_per_piece = 0.3
    person.new_chat()
    person.pick("Auto")
    stopped_before = behaviour.stopped_early
    person.say("What time zone is Lima in?")
    person.sees("[Demo")
    person.page.get_by_role("button", name="Stop", exact=True).click()
    for _ in range(50):
        if behaviour.stopped_early > stopped_before:
            break
        person.page.wait_for_timeout(100)
    assert behaviour.stopped_early == stopped_before + 1
    assert person.page.get_by_text("Install Ollama to get real answers").count() == 0


def test_the_answer_is_streamed(person: Person, backends: Backends) -> None:
    backends.ollama_behaviour.seconds_per_piece = 0.1
    person.new_chat()
    person.pick("Auto")
    person.say("What time zone is Oslo in?")
    person.sees("[Demo engine]")
    assert person.page.get_by_text("to get real answers.").count() == 0
    person.sees("to get real answers.")


def test_usage_reaches_the_api(admin: OpenWebUIClient) -> None:
    usage = chat(admin, "rightsize-auto", "What time zone is Tokyo in?")["usage"]
    assert usage["completion_tokens"] > 0
    assert usage["prompt_tokens"] > 0


def test_an_image_reaches_a_local_model_that_sees(person: Person, backends: Backends) -> None:
    person.new_chat()
    person.attach(ROOT / "docs" / "screenshots" / "auto-small.png")
    backends.ollama_behaviour.requests.clear()
    person.say("What is in this picture?")
    person.sees("This is demo-medium:8b")
    sent = next(
        request for request in backends.ollama_behaviour.requests if request.get("messages", [{}])[-1].get("images")
    )
    assert sent["model"] == "demo-medium:8b"
    assert len(sent["messages"][-1]["images"][0]) > 1000


def test_a_tool_is_passed_through_called_and_answered(person: Person, admin: OpenWebUIClient, tool: str) -> None:
    native = {"function_calling": "native"}
    add_model(admin, "auto-with-tool", "rightsize.auto", params=native, meta={"toolIds": [tool]})
    person.new_chat("auto-with-tool")
    person.say("Please use look_up_customer for number 7.")
    person.sees(re.compile("A tool answered: .*Customer 7"))
