"""The processes that `up` starts: Open WebUI, and the demo engine where there is no Ollama."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".state"
HOST = "127.0.0.1"


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


def _start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    # In a session of its own, or Ctrl+C would reach it at the same time as the program that is to stop it.
    return subprocess.Popen(command, start_new_session=True, **options)


def start_demo_engine(ollama_port: int, cloud_port: int) -> subprocess.Popen[bytes]:
    """Start the demo engine on loopback."""
    ports = ["--ollama-port", str(ollama_port), "--cloud-port", str(cloud_port)]
    return _start([sys.executable, "-m", "demo", *ports], cwd=ROOT)


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
        return _start(command, cwd=data, env=environment, stdout=log, stderr=subprocess.STDOUT)
