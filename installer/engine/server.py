"""llama.cpp's server as a process: one program that loads a model when it is asked for, and puts it away when idle."""

import os
import secrets
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import httpx

from installer.errors import CannotWrite, EngineStopped
from installer.processes import HOST, answers, start_process

CONTEXT_TOKENS = 4096
# A model that nobody asks gives its memory back after this, and takes some seconds to come again.
IDLE_SECONDS = 600
START_SECONDS = 30.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class EngineServer:
    """llama.cpp's server on loopback: its program, the folder of its models, its port, and its own folder."""

    program: Path
    models: Path
    most_loaded: int
    port: int
    threads: int
    folder: Path

    @property
    def url(self) -> str:
        """The address of its OpenAI-compatible API."""
        return f"http://{HOST}:{self.port}/v1"

    @property
    def log(self) -> Path:
        """The file that it writes to."""
        return self.folder / "llama-server.log"

    def key(self) -> str:
        """The key of its API, made when it is first needed.

        Without one, any page open in the browser could ask the engine, and read what it was asked before.
        """
        path = self.folder / "api-key"
        try:
            if not path.exists() or not path.read_text(encoding="ascii").strip():
                self.folder.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
                path.write_text(secrets.token_urlsafe(24), encoding="ascii")
            return path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise CannotWrite(self.folder, error) from error

    def command(self) -> list[str]:
        """The program and its arguments."""
        options = {
            "--host": HOST,
            "--port": self.port,
            "--models-dir": self.models,
            "--models-max": self.most_loaded,
            "--sleep-idle-seconds": IDLE_SECONDS,
            "--ctx-size": CONTEXT_TOKENS,
            "--parallel": 1,
            "--threads": self.threads,
            # What the makers of these models sample with (their generation_config.json), for requests that do not say.
            "--temp": 0.7,
            "--top-p": 0.8,
            "--top-k": 20,
            # Guessing the memory there is aborts some builds.
            "--fit": "off",
            "--api-key-file": self.folder / "api-key",
            "--cors-origins": "localhost",
        }
        flags = ["--no-ui", "--no-slots", "--offline"]
        return [str(self.program), *(str(word) for option in options.items() for word in option), *flags]

    def environment(self) -> dict[str, str]:
        """Its environment: nothing that was set for another llama.cpp, and no models but those in its folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
        empty = str(self.folder / "cache")
        return {**kept, "LLAMA_CACHE": empty, "HF_HUB_CACHE": empty}

    def serves(self, model_ids: Collection[str]) -> bool:
        """Whether a server with this key and these models already listens on the port."""
        try:
            answer = httpx.get(
                f"{self.url}/models", headers={"Authorization": f"Bearer {self.key()}"}, timeout=2.0, trust_env=False
            )
            return set(model_ids) <= {model["id"] for model in answer.raise_for_status().json()["data"]}
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    def start(self) -> subprocess.Popen[bytes]:
        """Start it. Raises EngineStopped if it ends at once."""
        self.key()
        try:
            with self.log.open("ab") as log:
                return start_process(self.command(), env=self.environment(), stdout=log, stderr=subprocess.STDOUT)
        except OSError as error:
            raise self._stopped(f"cannot be started ({error.strerror})") from error

    def wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it answers. Raises EngineStopped if it ends instead, or does not in time."""
        end = time.monotonic() + START_SECONDS
        while not answers(f"http://{HOST}:{self.port}/health"):
            if process.poll() is not None:
                raise self._stopped("stopped while it was starting")
            if time.monotonic() > end:
                raise self._stopped(f"did not answer within {START_SECONDS:.0f} seconds")
            time.sleep(LOOK_SECONDS)

    def _stopped(self, what: str) -> EngineStopped:
        return EngineStopped(f"The engine {what} (its log is {self.log})", "install Ollama and run this again")
