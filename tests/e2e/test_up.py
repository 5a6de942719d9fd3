"""The first of the README's two commands, as a newcomer with the stand-ins or with an Ollama runs it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from installer.client import OpenWebUIClient
from installer.processes import HOST
from tests.e2e.api import answer
from tests.e2e.browser import person_at
from tests.e2e.command import NOBODY, Command, up
from tests.e2e.conftest import Backends
from tests.servers import free_port

# A connection of somebody's own, with everything that could be lost.
THEIRS = "https://box.example.org/v1"
THEIR_CONFIG = {"enable": False, "connection_type": "external", "prefix_id": "box"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the newcomer's Open WebUI keeps its data."""
    return tmp_path_factory.mktemp("up") / "open-webui"


def test_a_newcomer_looks_around_with_the_stand_ins(data: Path, chromium: Browser, screenshots: Path) -> None:
    port = free_port()
    with up("--demo", "--port", str(port), "--data", str(data), "--ollama-url", NOBODY) as command:
        command.wait_for("Press Ctrl+C to stop.")
        assert "DEMO ENGINE: stand-ins without a real model answer" in command.output
        assert "preset Auto imported" in command.output
        assert f"Ready: open http://127.0.0.1:{port} and pick Auto in the model menu." in command.output
        with person_at(chromium, f"http://{HOST}:{port}", screenshots, email=None) as person:
            person.pick("Auto")
            person.say("What time zone is Tokyo in?")
            person.sees("demo-small:3b answers (small, local): a short, simple question.")
            person.sees("[Demo engine] This is demo-small:3b")
            person.screenshot("first-chat")
        client = OpenWebUIClient(f"http://{HOST}:{port}")
        client.sign_in("", "")
        form = client.call("GET", "/openai/config")
        form["OPENAI_API_BASE_URLS"].insert(0, THEIRS)
        form["OPENAI_API_KEYS"].insert(0, "their key")
        form["OPENAI_API_CONFIGS"] = {"0": THEIR_CONFIG, "1": form["OPENAI_API_CONFIGS"]["0"]}
        client.call("POST", "/openai/config/update", json=form)
        client.close()
        with up("--demo", "--port", str(port), "--data", str(data), "--ollama-url", NOBODY) as second:
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
        openai = client.call("GET", "/openai/config")
        embedding = client.call("GET", "/api/v1/retrieval/embedding")
        client.close()
        # Of the doubles only the tests' own has this one; the demo's cloud is gone with the demo.
        assert "demo-remote:120b-cloud" in models
        assert "demo-cloud-pro" not in models
        assert embedding["RAG_EMBEDDING_ENGINE"] == ""
        # What was somebody's own has come through both starts.
        assert (openai["OPENAI_API_BASE_URLS"], openai["OPENAI_API_KEYS"]) == ([THEIRS], ["their key"])
        assert openai["OPENAI_API_CONFIGS"] == {"0": THEIR_CONFIG}


def test_a_port_that_is_taken_is_said_so(data: Path, backends: Backends) -> None:
    port = str(backends.cloud.port)
    command = Command("--port", port, "--data", str(data), "--ollama-url", backends.ollama.url)
    assert command.process.wait(60) == 1
    command.wait_for(f"Not started: Port {port} is taken by another program: choose another with --port.")
    assert "Traceback" not in command.output
