"""What answers in the Open WebUI that `up` starts: a real engine that is fetched, started, found again and stopped."""

import hashlib
import io
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from installer import backends
from installer.backends import DEMO_CLOUD_MODELS, RealEngine, StandIns
from installer.engine.manifest import EngineBuild, Manifest, Weights, WheelSource
from installer.errors import CannotWrite, EngineBusy, InstallError, NotEnoughSpace, NotFetched, PortTaken
from installer.processes import Running
from tests.servers import free_port
from tests.unit.installer.doubles import CONTENT, FakeIndex, file_server, packages
from tests.unit.installer.test_machine_and_server import SERVER, wheel

NOBODY = "http://127.0.0.1:9"
PROGRAM = f"#!{sys.executable}\n{SERVER.replace('small-model', 'small')}".encode()


class Engine:
    """A real engine whose program is a script, and whose one model is a few bytes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.port, self.output = folder / "engine", free_port(), io.StringIO()
        parts, self.index = packages(CONTENT, 2)
        built = wheel(folder / "engine.whl", {"e/bin/llama-server": PROGRAM}).read_bytes()
        self.index.wheels["engine==1.0"] = built
        build = EngineBuild(
            name="engine.whl",
            title="Engine",
            bytes=len(built),
            sha256=hashlib.sha256(built).hexdigest(),
            licence="MIT",
            sources=(WheelSource(kind="wheel", package="engine", version="1.0", platform="any"),),
            system=platform.system(),
            machine=platform.machine(),
            unpacked_bytes=len(PROGRAM),
            program="e/bin/llama-server",
        )
        digest = hashlib.sha256(CONTENT).hexdigest()
        model = Weights(
            name="small.gguf",
            title="Model",
            bytes=len(CONTENT),
            sha256=digest,
            licence="MIT",
            sources=(parts,),
            tier="small",
        )
        self.manifest = Manifest(engines=(build,), models=(model,))
        # The stand-in for a cloud provider is another's affair: its port is as good as taken.
        monkeypatch.setattr(backends, "is_free", lambda port: port == self.port)
        monkeypatch.setattr(backends, "answers", lambda _: False)
        monkeypatch.setattr("installer.engine.machine.has_x86_64_level", lambda: True)

    def backend(self) -> RealEngine:
        console = Console(file=self.output, width=400)
        return RealEngine(self.folder, self.port, NOBODY, console, self.manifest, self.index)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    yield Engine(tmp_path, monkeypatch)


def test_an_engine_is_fetched_started_and_stopped(engine: Engine) -> None:
    backend = engine.backend()
    backend.check()
    assert f"No Ollama answers at {NOBODY}: fetching llama.cpp's server and 1 small models" in engine.output.getvalue()
    with Running() as running:
        backend.start(running)
        assert backend.server.serves(["small"])
        wanted = backend.connections()
        assert wanted.ollama is None
        assert [connection.url for connection in wanted.openai] == [backend.server.url]
        assert wanted.openai[0].key == backend.server.key()
        assert wanted.openai[0].config["connection_type"] == "local"
    assert not backend.server.serves(["small"])
    assert sorted(path.name for path in engine.folder.iterdir()) == [
        "api-key", "engine.whl", "fetching", "llama-server.log", "llama.cpp", "lock", "models",
    ]  # fmt: skip


def test_the_second_start_fetches_nothing_and_finds_an_engine_that_runs(engine: Engine) -> None:
    with Running() as running:
        engine.backend().start(running)
        asked = len(engine.index.asked)
        second = engine.backend()
        second.check()
        with Running() as nothing:
            second.start(nothing)
            assert nothing.is_empty
        assert second.server.serves(["small"])
    assert len(engine.index.asked) == asked
    assert f"using the engine in {engine.folder}" in engine.output.getvalue()


def test_a_model_with_a_changed_byte_is_fetched_anew_and_alone(engine: Engine) -> None:
    with Running() as running:
        engine.backend().start(running)
    model = engine.folder / "models" / "small.gguf"
    model.write_bytes(b"\x01" + CONTENT[1:])
    engine.index.asked.clear()
    with Running() as running:
        engine.backend().start(running)
    assert model.read_bytes() == CONTENT
    assert engine.index.asked == ["part0==1.0", "part1==1.0"]
    assert f"{model} is not the file that was published" in engine.output.getvalue()


def test_the_pipe_is_told_the_tiers_and_to_leave_the_stand_ins_out(engine: Engine) -> None:
    changes = engine.backend().valves({"excluded_models": "gpt-5"})
    assert changes["tier_overrides"] == "small=small"
    assert changes["excluded_models"] == "gpt-5, demo-cloud-pro, demo-cloud-mini"
    assert StandIns(Console()).valves(changes) == {"excluded_models": "gpt-5"}


def test_a_port_that_another_program_has_is_known_before_anything_is_fetched(engine: Engine) -> None:
    with file_server() as other:
        engine.port = other.port
        backend = engine.backend()
        engine.port = 0
        with pytest.raises(PortTaken) as raised:
            backend.check()
    assert str(raised.value) == (
        f"Port {other.port} is taken by another program: choose another with --engine-port, "
        "or run scripts/up --demo for stand-ins without a real model."
    )


def test_too_little_room_is_known_before_anything_is_fetched(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "MARGIN_BYTES", 10**18)
    with pytest.raises(NotEnoughSpace, match=r"GB are needed and .* GB are free in"):
        engine.backend().check()
    assert engine.index.asked == []


@pytest.mark.parametrize("name", ["engine", "engine/models", "engine/fetching"])
def test_a_folder_that_is_a_file_is_one_sentence(engine: Engine, name: str) -> None:
    place = engine.folder.parent / name
    place.parent.mkdir(exist_ok=True)
    place.touch()
    with Running() as running:
        with pytest.raises(CannotWrite, match=r"cannot be used \(.*\): name another folder with --engine"):
            engine.backend().check()
            engine.backend().start(running)
        assert running.is_empty


def test_two_starts_do_not_fetch_into_one_folder_at_once(engine: Engine) -> None:
    engine.folder.mkdir()
    with FileLock(engine.folder / "lock"), Running() as running:
        with pytest.raises(EngineBusy, match=r"Another scripts/up fetches into .*: wait until it is ready"):
            engine.backend().start(running)
        assert running.is_empty


def test_without_a_network_nothing_is_started(engine: Engine) -> None:
    engine.index = FakeIndex()
    with Running() as running:
        with pytest.raises(NotFetched, match=r"Engine could not be fetched \(The fake index fails\)"):
            engine.backend().start(running)
        assert running.is_empty


def test_the_stand_ins_need_their_ports(engine: Engine) -> None:
    with pytest.raises(InstallError, match="Port 11435 is taken by another program: stop that program"):
        StandIns(Console(file=engine.output)).check()
    assert "DEMO ENGINE: stand-ins without a real model answer" in engine.output.getvalue()


def test_the_models_are_told_apart_from_the_stand_ins() -> None:
    assert all(name.startswith("demo-") for name in DEMO_CLOUD_MODELS)
