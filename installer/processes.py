"""The processes that `up` starts, and how they are stopped."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from filelock import FileLock

from installer.errors import StoppedByItself

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state"
HOST = "127.0.0.1"
STOP_SECONDS = 15.0
# A program that ends sooner than this after its start would do so again.
LEAST_SECONDS_BETWEEN_STARTS = 30.0
LOOK_SECONDS = 0.5


def answers(url: str) -> bool:
    """Whether a URL answers with success within two seconds."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def start_process(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program that runs until it is stopped."""
    # In a session of its own, or Ctrl+C would reach it at the same time as the program that is to stop it.
    return subprocess.Popen(command, start_new_session=True, **options)


def start_demo_engine(ollama_port: int, cloud_port: int) -> subprocess.Popen[bytes]:
    """Start the demo engine on loopback."""
    ports = ["--ollama-port", str(ollama_port), "--cloud-port", str(cloud_port)]
    return start_process([sys.executable, "-m", "demo", "serve", *ports], cwd=ROOT)


def start_demo_cloud(port: int) -> subprocess.Popen[bytes]:
    """Start the demo's cloud provider alone on loopback."""
    return start_process([sys.executable, "-m", "demo", "cloud", "--port", str(port)], cwd=ROOT)


def open_webui_environment(data: Path, port: int) -> dict[str, str]:
    """Settings of an Open WebUI for one person on their own machine.

    There is no login, so the browser's same-origin rule must stand: other web pages may not call its API.
    """
    return {
        "DATA_DIR": str(data),
        "WEBUI_AUTH": "false",
        "CORS_ALLOW_ORIGIN": f"http://{HOST}:{port};http://localhost:{port}",
        "ENABLE_VERSION_UPDATE_CHECK": "false",
        "ANONYMIZED_TELEMETRY": "false",
        "SCARF_NO_ANALYTICS": "true",
        "DO_NOT_TRACK": "true",
    }


def start_open_webui(port: int, extra: Mapping[str, str], data: Path) -> subprocess.Popen[bytes]:
    """Start Open WebUI on loopback, its data in `data` and its log in `open-webui.log` beside that."""
    data.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **open_webui_environment(data, port), **extra}
    command = [str(Path(sys.executable).parent / "open-webui"), "serve", "--host", HOST, "--port", str(port)]
    with (data.parent / f"{data.name}.log").open("ab") as log:
        return start_process(command, cwd=data, env=environment, stdout=log, stderr=subprocess.STDOUT)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it does not end in time."""
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


StartAgain = Callable[[], subprocess.Popen[bytes]]


@dataclass
class _Started:
    """One process: what it is called, its log, and how to start it again if that is worth a try."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    start_again: StartAgain | None
    since: float


@dataclass
class Running:
    """The processes that one `up` has started. Leaving it stops them, the last one first."""

    _started: list[_Started] = field(default_factory=list)
    _locks: list[FileLock] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin with none."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        while self._started:
            stop(self._started.pop().process)
        while self._locks:
            self._locks.pop().release()

    def hold(self, lock: FileLock) -> None:
        """Acquire a lock and keep it until all processes have been stopped. Raises filelock's Timeout."""
        lock.acquire()
        self._locks.append(lock)

    def add(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        log: Path | None = None,
        start_again: StartAgain | None = None,
    ) -> subprocess.Popen[bytes]:
        """Keep a process until the end; if it ends before that, it is started again where it can be."""
        self._started.append(_Started(name, process, log, start_again, time.monotonic()))
        return process

    @property
    def is_empty(self) -> bool:
        """Whether nothing had to be started."""
        return not self._started

    def wait(self, tell: Callable[[str], None]) -> None:
        """Wait for as long as all of them run; `tell` is told of those that had to be started again.

        Raises StoppedByItself when one ends by itself that cannot be started again, or ends again soon after.
        """
        while not self.is_empty:
            for started in self._started:
                if started.process.poll() is not None:
                    self._ended(started, tell)
            time.sleep(LOOK_SECONDS)

    def _ended(self, started: _Started, tell: Callable[[str], None]) -> None:
        where = f": its log is {started.log}" if started.log else ""
        ran = time.monotonic() - started.since
        if started.start_again is None or ran < LEAST_SECONDS_BETWEEN_STARTS:
            raise StoppedByItself(f"{started.name} stopped by itself{where}. Run this again to start it.")
        started.process, started.since = started.start_again(), time.monotonic()
        tell(f"{started.name} stopped by itself and was started again{where}.")
