"""The processes that `up` starts, and how they are stopped."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from installer.errors import InstallError

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state"
HOST = "127.0.0.1"
STOP_SECONDS = 15.0
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


@dataclass
class Running:
    """The processes that one `up` has started, by what they are called. Leaving it stops them, the last one first."""

    _processes: list[tuple[str, subprocess.Popen[bytes], Path | None]] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Begin with none."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        self._stack.close()

    def add(self, name: str, process: subprocess.Popen[bytes], log: Path | None = None) -> subprocess.Popen[bytes]:
        """Keep a process until the end."""
        self._stack.callback(stop, process)
        self._processes.append((name, process, log))
        return process

    @property
    def is_empty(self) -> bool:
        """Whether nothing had to be started."""
        return not self._processes

    def wait(self) -> None:
        """Wait for as long as all of them run. Raises InstallError when one stops by itself."""
        while not self.is_empty:
            for name, process, log in self._processes:
                if process.poll() is not None:
                    raise InstallError(f"{name} stopped by itself{f': its log is {log}' if log else ''}.")
            time.sleep(LOOK_SECONDS)
