"""The servers that end-to-end tests talk to: the doubles, a relay that writes down every byte, and Open WebUI."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from installer.client import OpenWebUIClient
from installer.processes import HOST, start_open_webui

EMAIL = "admin@rightsize.test"
PASSWORD = "a-password-for-tests"
START_SECONDS = 240.0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class LoopThread:
    """An event loop in a thread of its own, for the servers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Start a coroutine and leave it running."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop)


class Served:
    """An ASGI application served on loopback."""

    def __init__(self, app: Any, port: int) -> None:
        self._app, self.port = app, port
        self._threads: list[tuple[uvicorn.Server, threading.Thread]] = []

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Serve, returning once connections are accepted; does nothing if it is served already."""
        if self._threads:
            return
        server = uvicorn.Server(uvicorn.Config(self._app, HOST, self.port, log_level="critical"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=0.2):
                self._threads.append((server, thread))
                return
            threading.Event().wait(0.05)
        raise RuntimeError(f"nothing listens on {self.url}")

    def stop(self) -> None:
        """Stop serving, cutting open connections."""
        while self._threads:
            server, thread = self._threads.pop()
            server.should_exit = server.force_exit = True
            thread.join(10)


@dataclass
class Relay:
    """Passes a TCP port on to another and keeps every byte that goes up it."""

    target_port: int
    port: int = field(default_factory=free_port)
    sent: bytearray = field(default_factory=bytearray)

    async def serve(self) -> None:
        """Accept connections until the loop ends."""
        await asyncio.start_server(self._relay, HOST, self.port)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            writer.close()
            return

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: bool) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    if keep:
                        self.sent += data
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, up_writer, True), pump(up_reader, writer, False))


@contextmanager
def open_webui(data: Path, **environment: str) -> Iterator[OpenWebUIClient]:
    """A real Open WebUI with a fresh database and an administrator; yields the administrator's client."""
    port = free_port()
    settings = {
        "WEBUI_AUTH": "true",
        "OFFLINE_MODE": "false",
        "HF_HUB_OFFLINE": "1",
        "ENABLE_SIGNUP": "true",
        "DEFAULT_USER_ROLE": "user",
        "WEBUI_SECRET_KEY": "for-tests-only",
        "WEBUI_URL": f"http://{HOST}:{port}",
        **environment,
    }
    process = start_open_webui(port, settings, data)
    client = OpenWebUIClient(f"http://{HOST}:{port}")
    try:
        client.wait_until_up(START_SECONDS)
        client.sign_in(EMAIL, PASSWORD)
        yield client
    finally:
        client.close()
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
