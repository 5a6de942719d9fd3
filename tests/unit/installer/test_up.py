"""`up` before anything is started, and the processes it has started."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from rich.console import Console
from typer.testing import CliRunner

from installer.__main__ import app
from installer.backends import FoundOllama, RealEngine, StandIns
from installer.errors import InstallError, StoppedByItself
from installer.processes import ROOT, Running
from installer.up import Settings, check_settings, choose_backend, start_server, up
from tests.servers import free_port
from tests.unit.installer.doubles import file_server

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(free_port(), tmp_path / "open-webui", NOBODY, tmp_path / "engine", free_port())


@pytest.fixture(autouse=True)
def as_they_were() -> Iterator[None]:
    """The command sets what signals do."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def test_what_answers(settings: Settings) -> None:
    console = Console()
    assert isinstance(choose_backend(settings, console), RealEngine)
    with file_server() as ollama:
        found = Settings(1, settings.data, f"http://127.0.0.1:{ollama.port}", settings.engine, 1)
        assert choose_backend(found, console) == FoundOllama(found.ollama_url)
        asked_for = Settings(1, settings.data, found.ollama_url, settings.engine, 1, demo=True)
        assert isinstance(choose_backend(asked_for, console), StandIns)


def test_an_ollama_that_is_no_address(settings: Settings) -> None:
    wrong = Settings(settings.port, settings.data, "ollama", settings.engine, settings.engine_port)
    with pytest.raises(InstallError, match="'ollama' is not an address"):
        up(wrong, Console())


def test_data_that_cannot_be_kept_is_one_sentence(settings: Settings) -> None:
    settings.data.touch()
    with (
        Running() as running,
        pytest.raises(InstallError, match=r"cannot be used \(File exists\): name another folder"),
    ):
        start_server(settings, {}, running)


def test_a_port_that_is_taken(settings: Settings) -> None:
    with file_server() as other, Running() as running:
        taken = Settings(other.port, settings.data, NOBODY, settings.engine, settings.engine_port)
        with pytest.raises(InstallError, match=f"Port {other.port} is taken by another program: choose another with"):
            start_server(taken, {}, running)


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--engine-port", "70000"], ["--demo=x"], ["--engine"]])
def test_bad_options_are_refused(arguments: list[str]) -> None:
    run = CliRunner().invoke(app, ["up", *arguments])
    assert run.exit_code == 2
    assert "Traceback" not in run.output


def test_a_process_that_stops_by_itself_is_named(tmp_path: Path) -> None:
    with Running() as running:
        running.add("The one", subprocess.Popen([sys.executable, "-c", "pass"]), tmp_path / "its.log")
        with pytest.raises(InstallError, match=r"^The one stopped by itself: its log is .*/its\.log\. Run this again"):
            running.wait(print)


def test_what_was_started_is_stopped() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with Running() as running:
        first = running.add("first", subprocess.Popen(sleep))
        second = running.add("second", subprocess.Popen(sleep))
        assert not running.is_empty
    assert (first.returncode, second.returncode) == (-signal.SIGTERM, -signal.SIGTERM)
    Running().wait(print)


def test_a_process_that_can_be_is_started_again_but_not_at_once_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def ends() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", "pass"])

    with Running() as running:
        first = running.add("The engine", ends(), start_again=ends)
        first.wait()
        # As if it had run for long enough to be worth another start.
        running._started[0].since -= 60
        with pytest.raises(StoppedByItself, match="The engine stopped by itself"):
            running.wait(told.append)
    assert told == ["The engine stopped by itself and was started again."]


def test_two_cannot_have_one_folder(tmp_path: Path) -> None:
    with Running() as first, Running() as second:
        first.hold(FileLock(tmp_path / "lock", timeout=0))
        with pytest.raises(Timeout):
            second.hold(FileLock(tmp_path / "lock", timeout=0))
    with Running() as third:
        third.hold(FileLock(tmp_path / "lock", timeout=0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 11436}, "Port 11436 cannot serve both"),
        ({"data": Path.cwd()}, "is no folder of its own: name another with --data"),
        ({"data": ROOT}, "is no folder of its own: name another with --data"),
        ({"engine": Path("/")}, "is no folder of its own: name another with --engine"),
        ({"ollama_url": "nowhere"}, "'nowhere' is not an address"),
    ],
)
def test_settings_that_cannot_work_are_refused_first(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    fine = Settings(8080, tmp_path / "data", "http://127.0.0.1:9", tmp_path / "engine", 11436)
    check_settings(fine)
    with pytest.raises(InstallError, match=words):
        check_settings(replace(fine, **changes))  # type: ignore[arg-type]
