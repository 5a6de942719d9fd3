"""What may answer in the Open WebUI that `up` starts: an Ollama that is there, a real engine, or stand-ins."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from rich.console import Console

from installer.connections import Connection, Wanted
from installer.engine.fetch import Fetcher
from installer.engine.machine import build_for_this_machine, engine_threads
from installer.engine.manifest import Artifact, EngineBuild, Manifest, read_manifest
from installer.engine.packages import PackageDownloader, PackageIndex, Pip
from installer.engine.server import EngineServer
from installer.engine.storage import GIGABYTE, expect_room, writing_to
from installer.engine.unpacking import unpack
from installer.engine.urls import UrlDownloader, new_http_client
from installer.engine.watching import ConsoleWatcher
from installer.errors import EngineBusy, InstallError, PortTaken
from installer.model_valves import with_excluded, with_tiers, without_excluded
from installer.processes import HOST, Running, answers, is_free, start_demo_cloud, start_demo_engine

DEMO_OLLAMA_PORT = 11435
ENGINE_PORT = 11436
DEMO_CLOUD_PORT = 11480
DEMO_OLLAMA = f"http://{HOST}:{DEMO_OLLAMA_PORT}"
DEMO_CLOUD = f"http://{HOST}:{DEMO_CLOUD_PORT}/v1"
DEMO_CLOUD_MODELS = ("demo-cloud-pro", "demo-cloud-mini")
DEMO_EMBEDDING_MODEL = "demo-embed"
DEMO_NOTICE = (
    "[bold yellow]DEMO ENGINE[/]: stand-ins without a real model answer, and say so in every answer. "
    "Run scripts/up without --demo for real answers."
)
# What is left free for Open WebUI's own data, and for a part that is on its way to a file.
MARGIN_BYTES = 500 * 10**6


class Backend(Protocol):
    """What answers, and what Open WebUI has to know about it."""

    def check(self) -> None:
        """Raise an InstallError for what can be known to fail before anything is started."""

    def start(self, running: Running) -> None:
        """Start what answers, unless it is there already."""

    def embedder(self) -> tuple[str, str] | None:
        """The Ollama (its URL and a model) that embeds documents, if Open WebUI is not to do that itself."""

    def connections(self) -> Wanted:
        """The connections that lead to it."""

    def valves(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """What has to change in the pipe's valves."""

    def description(self) -> str:
        """A line on what answers, for when all is ready."""


@dataclass(frozen=True)
class FoundOllama:
    """An Ollama that somebody else runs."""

    url: str

    def check(self) -> None:
        """Nothing can fail: it has answered."""

    def start(self, running: Running) -> None:
        """Nothing has to be started."""

    def embedder(self) -> tuple[str, str] | None:
        """None: Open WebUI embeds documents itself."""
        return None

    def connections(self) -> Wanted:
        """The Ollama alone."""
        return Wanted(self.url)

    def valves(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """The stand-ins' cloud is not there to be left out."""
        return without_excluded(now, DEMO_CLOUD_MODELS)

    def description(self) -> str:
        """Which Ollama it is."""
        return f"The models of the Ollama at {self.url} answer."


@dataclass(frozen=True)
class StandIns:
    """The demo engine: doubles of Ollama and of a cloud provider, with no model behind them."""

    console: Console

    def check(self) -> None:
        """Raise InstallError if another program is in the way."""
        self.console.print(DEMO_NOTICE)
        if not answers(f"{DEMO_OLLAMA}/api/version"):
            for port in (DEMO_OLLAMA_PORT, DEMO_CLOUD_PORT):
                if not is_free(port):
                    raise InstallError(
                        f"Port {port} is taken by another program: stop that program, or run scripts/up without --demo."
                    )

    def start(self, running: Running) -> None:
        """Start them."""
        if not answers(f"{DEMO_OLLAMA}/api/version"):
            running.add("The demo engine", start_demo_engine(DEMO_OLLAMA_PORT, DEMO_CLOUD_PORT))

    def embedder(self) -> tuple[str, str] | None:
        """The double of Ollama embeds as well."""
        return DEMO_OLLAMA, DEMO_EMBEDDING_MODEL

    def connections(self) -> Wanted:
        """Both doubles."""
        return Wanted(DEMO_OLLAMA, (_demo_cloud(),))

    def valves(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """The cloud may be chosen."""
        return without_excluded(now, DEMO_CLOUD_MODELS)

    def description(self) -> str:
        """That no model answers."""
        return "Stand-ins without a real model answer."


class RealEngine:
    """llama.cpp's server with two models, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        port: int,
        ollama_url: str,
        console: Console,
        manifest: Manifest | None = None,
        index: PackageIndex | None = None,
    ) -> None:
        self._folder, self._port, self._ollama_url, self._console = folder, port, ollama_url, console
        self._manifest = manifest or read_manifest()
        self._build: EngineBuild = build_for_this_machine(self._manifest)
        packages = PackageDownloader(index or Pip())
        self._fetcher = Fetcher(
            folder / "fetching", UrlDownloader(new_http_client()), packages, ConsoleWatcher(console)
        )
        self._models = folder / "models"
        self._unpacked = folder / "llama.cpp"
        self.server = EngineServer(
            program=self._unpacked / self._build.program,
            models=self._models,
            most_loaded=len(self._manifest.models),
            port=port,
            threads=engine_threads(),
            folder=folder,
        )
        self._has_cloud = True

    @property
    def _places(self) -> list[tuple[Artifact, Path]]:
        wheel = (self._build, self._folder / self._build.name)
        return [wheel, *((model, self._models / model.name) for model in self._manifest.models)]

    def _model_ids(self) -> list[str]:
        return [model.model_id for model in self._manifest.models]

    def check(self) -> None:
        """Raise EngineError if the port is taken or the disk too full; say what will be fetched."""
        if not is_free(self._port) and not self.server.serves(self._model_ids()):
            raise PortTaken(f"Port {self._port} is taken by another program", "choose another with --engine-port")
        with writing_to(self._folder):
            missing = sum(self._fetcher.missing_bytes(artifact, place) for artifact, place in self._places)
        if not missing:
            self._console.print(f"No Ollama answers at {self._ollama_url}: using the engine in {self._folder}.")
            return
        expect_room(self._folder, missing + self._build.unpacked_bytes + MARGIN_BYTES)
        self._console.print(
            f"No Ollama answers at {self._ollama_url}: fetching llama.cpp's server and {len(self._manifest.models)} "
            f"small models, {missing / GIGABYTE:.1f} GB, once, into {self._folder}."
        )

    def start(self, running: Running) -> None:
        """Fetch and verify what is missing, and start the engine and the stand-in for a cloud provider."""
        self._fetch()
        if not self.server.serves(self._model_ids()):
            process = running.add("The engine", self.server.start(), self.server.log, self.server.start)
            self.server.wait_until_up(process)
        if not answers(f"{DEMO_CLOUD}/models"):
            self._has_cloud = is_free(DEMO_CLOUD_PORT)
            if self._has_cloud:
                running.add("The stand-in for a cloud provider", start_demo_cloud(DEMO_CLOUD_PORT))
            else:
                self._console.print(f"Port {DEMO_CLOUD_PORT} is taken: there will be no stand-in for a cloud model.")

    def _fetch(self) -> None:
        with writing_to(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self._folder / "lock", timeout=0):
                    for artifact, place in self._places:
                        self._fetcher.ensure(artifact, place)
                    unpack(self._folder / self._build.name, self._unpacked)
            except Timeout as error:
                raise EngineBusy(f"Another scripts/up fetches into {self._folder}", "wait until it is ready") from error

    def embedder(self) -> tuple[str, str] | None:
        """None: these models answer, and do not embed."""
        return None

    def connections(self) -> Wanted:
        """The engine, which is on this machine, and the stand-in for a cloud provider."""
        config = {"enable": True, "connection_type": "local", "provider": "llama.cpp"}
        engine = Connection(self.server.url, self.server.key(), config)
        return Wanted(None, (engine, _demo_cloud()) if self._has_cloud else (engine,))

    def valves(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """The models' tiers, which their sizes do not tell; and the stand-in may not answer in their place."""
        tiers = {model.model_id: model.tier for model in self._manifest.models}
        return {**with_tiers(now, tiers), **with_excluded(now, DEMO_CLOUD_MODELS)}

    def description(self) -> str:
        """Which models answer, and which is none."""
        models = " and ".join(f"{model.model_id} ({model.tier})" for model in self._manifest.models)
        cloud = f" {DEMO_CLOUD_MODELS[0]} is a stand-in for a cloud model." if self._has_cloud else ""
        return f"Real models answer: {models}.{cloud} With Ollama (https://ollama.com) you get larger ones."


def _demo_cloud() -> Connection:
    return Connection(DEMO_CLOUD, "demo", {"enable": True, "connection_type": "external"})
