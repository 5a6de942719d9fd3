"""`scripts/up` as somebody runs it, what it prints, and Ctrl+C."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.processes import HOST
from tests.servers import START_SECONDS

ROOT = Path(__file__).resolve().parents[2]
NOBODY = f"http://{HOST}:9"
# What the tests' own settings say must not reach it.
OWN_SETTINGS = ("OLLAMA_BASE_URL", "RIGHTSIZE_ENGINE")


class Command:
    """A running `scripts/up`, and what it has printed."""

    def __init__(self, *arguments: str) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in OWN_SETTINGS}
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "up", *arguments],
            env={**environment, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        """Wait until a line with these words has been printed; there is nothing to wait for once it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: words in self.output or self._ended, START_SECONDS)
        assert words in self.output, self.output

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
