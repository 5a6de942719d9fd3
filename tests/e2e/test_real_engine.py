"""The README's three steps on a machine without Ollama: a real engine is fetched, and real models answer.

`RIGHTSIZE_ENGINE=DIR` lets these tests use, and keep, an engine in DIR; without it everything is fetched.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from installer.client import OpenWebUIClient
from installer.engine.manifest import read_manifest
from installer.processes import HOST
from tests.e2e.api import add_model, answer, chat
from tests.e2e.browser import Person, person_at
from tests.e2e.command import NOBODY, Command, up
from tests.servers import free_port

SMALL, MEDIUM = read_manifest().models
# A model that has to be loaded first, on two cores that the browser and Open WebUI use too.
ANSWER_MILLISECONDS = 180_000


@dataclass
class Place:
    """Where the engine and Open WebUI's data are, and on which ports."""

    data: Path
    engine: Path
    port: int
    engine_port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @contextmanager
    def up(self) -> Iterator[Command]:
        """Run `scripts/up` until it is ready, and stop it at the end."""
        began = time.monotonic()
        ports = ["--port", str(self.port), "--engine-port", str(self.engine_port)]
        folders = ["--data", str(self.data), "--engine", str(self.engine)]
        with up(*ports, *folders, "--ollama-url", NOBODY) as command:
            command.wait_for("Press Ctrl+C to stop.")
            print(f"\nscripts/up was ready after {time.monotonic() - began:.0f} seconds")  # noqa: T201
            yield command


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("real")
    engine = Path(os.environ.get("RIGHTSIZE_ENGINE") or folder / "engine")
    return Place(folder / "open-webui", engine, free_port(), free_port())


@pytest.fixture(scope="class")
def started(place: Place) -> Iterator[Command]:
    """The first start."""
    with place.up() as command:
        yield command


@pytest.fixture(scope="class")
def newcomer(started: Command, place: Place, chromium: Browser, screenshots: Path) -> Iterator[Person]:
    with person_at(chromium, place.url, screenshots, email=None) as person:
        yield person


def sees_answer(person: Person, text: str) -> None:
    """Wait until a text is in the chat."""
    expect(person.page.locator("#messages-container").get_by_text(text).first).to_be_visible(
        timeout=ANSWER_MILLISECONDS
    )


class TestFirstStart:
    """Everything is fetched, or was there; the engine runs until the end of this class."""

    def test_it_says_what_it_fetches_and_what_answers(self, started: Command, place: Place) -> None:
        assert f"No Ollama answers at {NOBODY}" in started.output
        assert f"Real models answer: {SMALL.model_id} (small) and {MEDIUM.model_id} (medium)." in started.output
        assert "DEMO ENGINE" not in started.output
        assert sorted(path.name for path in (place.engine / "models").iterdir()) == [SMALL.name, MEDIUM.name]

    def test_first_step_a_short_question_is_answered_by_the_small_model(self, newcomer: Person) -> None:
        newcomer.pick("Auto")
        newcomer.say("What time zone is Tokyo in?")
        sees_answer(newcomer, f"{SMALL.model_id} answers (small, local)")
        # What so small a model says differs from time to time; that it has come to the end of it does not.
        expect(newcomer.page.get_by_role("button", name="Regenerate").first).to_be_visible(timeout=ANSWER_MILLISECONDS)
        expect(newcomer.page.get_by_text("could not answer")).to_have_count(0)
        expect(newcomer.page.get_by_text("[Demo engine]")).to_have_count(0)

    def test_a_preset_of_the_larger_model_knows_more(self, newcomer: Person, place: Place) -> None:
        client = OpenWebUIClient(place.url)
        client.sign_in("", "")
        # Presets for writing let a model choose its words freely; this one says what it thinks most likely.
        add_model(client, "exact", "rightsize.medium", params={"temperature": 0})
        client.close()
        newcomer.new_chat("exact")
        newcomer.say("In which UTC offset does Tokyo lie?")
        sees_answer(newcomer, f"{MEDIUM.model_id} answers (medium, local)")
        sees_answer(newcomer, "UTC+9")

    def test_second_step_a_hard_one_is_taken_by_the_larger_model(self, newcomer: Person) -> None:
        newcomer.new_chat()
        newcomer.say(
            "Prove by induction that a full binary tree with n leaves has n - 1 inner nodes, then analyze step by step "
            "how the proof changes for trees that are not full"
        )
        sees_answer(newcomer, f"{MEDIUM.model_id} answers (medium, local)")
        newcomer.page.get_by_role("button", name="Stop").click()

    def test_third_step_personal_data_stays_on_this_machine(self, newcomer: Person) -> None:
        newcomer.new_chat("demo-cloud-pro")
        newcomer.say("My name is Ada Lovelace, call me on +44 20 7946 0958")
        sees_answer(newcomer, "answers instead of demo-cloud-pro")
        expect(newcomer.page.get_by_text("This is demo-cloud-pro")).to_have_count(0)

    def test_a_document_is_read_without_hugging_face(self, newcomer: Person, tmp_path: Path) -> None:
        note = tmp_path / "note.txt"
        note.write_text("The code word of the harbour office is marzipan.")
        newcomer.new_chat("exact")
        newcomer.attach(note)
        newcomer.say("What is the code word of the harbour office?")
        sees_answer(newcomer, "marzipan")

    def test_the_stand_in_for_a_cloud_model_is_there_but_never_chosen(self, started: Command, place: Place) -> None:
        client = OpenWebUIClient(place.url)
        client.sign_in("", "")
        try:
            assert "demo-cloud-pro" in {model["id"] for model in client.call("GET", "/api/models")["data"]}
            assert "[Demo engine]" in answer(client, "demo-cloud-pro", "What time zone is Tokyo in?")
            refusal = chat(client, "rightsize-frontier", "Name one prime number.")
            assert "No cloud model is available" in refusal["error"]["detail"]
        finally:
            client.close()


def test_started_again_it_fetches_only_what_was_changed(place: Place) -> None:
    weights = place.engine / "models" / SMALL.name
    with weights.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    with place.up() as command:
        assert f"{weights} is not the file that was published (another SHA-256)" in command.output
        assert "using the engine in" in command.output
        assert MEDIUM.name not in command.output
        client = OpenWebUIClient(place.url)
        client.sign_in("", "")
        said = answer(client, "rightsize-auto", "What time zone is Tokyo in?")
        assert said.strip()
        assert "[Demo engine]" not in said
        client.close()
