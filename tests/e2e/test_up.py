"""The first of the README's two commands, as a newcomer runs it."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from installer.client import OpenWebUIClient
from installer.processes import HOST
from tests.e2e.api import answer
from tests.e2e.browser import person_at
from tests.e2e.conftest import Backends
from tests.servers import START_SECONDS, free_port

ROOT = Path(__file__).resolve().parents[2]
NOBODY = f"http://{HOST}:9"


class Command:
    """A running `scripts/up`, and what it has printed."""

    def __init__(self, *arguments: str) -> None:
        # What the tests' own settings say must not reach it.
        environment = {key: value for key, value in os.environ.items() if key != "OLLAMA_BASE_URL"}
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "up", *arguments],
            env={**environment, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        """Wait until a line with these words has been printed."""
        with self._changed:
            found = self._changed.wait_for(lambda: words in self.output, START_SECONDS)
        assert found, self.output

    @property
    def output(self) -> str:
        """All that has been printed."""
        return "".join(self.lines)


@contextmanager
def up(*arguments: str) -> Iterator[Command]:
    """Run `scripts/up`, and stop it as Ctrl+C does."""
    command = Command(*arguments)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGINT)
        assert command.process.wait(60) == 0, command.output


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the newcomer's Open WebUI keeps its data."""
    return tmp_path_factory.mktemp("up") / "open-webui"


def test_a_newcomer_without_ollama_gets_the_demo_engine(data: Path, chromium: Browser, screenshots: Path) -> None:
    port = free_port()
    with up("--port", str(port), "--data", str(data), "--ollama-url", NOBODY) as command:
        command.wait_for("Press Ctrl+C to stop.")
        assert f"DEMO ENGINE: no Ollama answers at {NOBODY}" in command.output
        assert "preset Auto imported" in command.output
        assert f"Ready: open http://127.0.0.1:{port} and pick Auto in the model menu." in command.output
        with person_at(chromium, f"http://{HOST}:{port}", screenshots, email=None) as person:
            person.pick("Auto")
            person.say("What time zone is Tokyo in?")
            person.sees("demo-small:3b answers (small, local): a short, simple question.")
            person.sees("[Demo engine] This is demo-small:3b")
            person.screenshot("first-chat")
        with up("--port", str(port), "--data", str(data), "--ollama-url", NOBODY) as second:
            second.process.wait(60)
            assert "is already running" in second.output
            assert "imported" not in second.output
    command.wait_for("Stopped.")


def test_run_again_it_uses_the_ollama_that_is_there_now(data: Path, backends: Backends) -> None:
    port = free_port()
    with up("--port", str(port), "--data", str(data), "--ollama-url", backends.ollama.url) as command:
        command.wait_for("Press Ctrl+C to stop.")
        assert "DEMO ENGINE" not in command.output
        client = OpenWebUIClient(f"http://{HOST}:{port}")
        client.sign_in("", "")
        assert "This is demo-small:3b" in answer(client, "rightsize-auto", "What time zone is Tokyo in?")
        models = {model["id"] for model in client.call("GET", "/api/models")["data"]}
        client.close()
        # Of the doubles only the tests' own has this one; the demo's cloud is gone with the demo.
        assert "demo-remote:120b-cloud" in models
        assert "demo-cloud-pro" not in models


def test_a_port_that_is_taken_is_said_so(data: Path, backends: Backends) -> None:
    port = str(backends.cloud.port)
    command = Command("--port", port, "--data", str(data), "--ollama-url", backends.ollama.url)
    assert command.process.wait(60) == 1
    command.wait_for(f"Not started: Port {port} is taken by another program: choose another with --port.")
    assert "Traceback" not in command.output
