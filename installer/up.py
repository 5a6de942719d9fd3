"""Start Open WebUI with Rightsize in it, on whatever there is to answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from installer.backends import DEMO_CLOUD, DEMO_OLLAMA, Backend, FoundOllama, RealEngine, StandIns
from installer.client import OpenWebUIClient, is_address
from installer.connections import connect_backends
from installer.documents import Documents, hugging_face_answers
from installer.errors import InstallError
from installer.install import PIPE, install, set_valves
from installer.processes import HOST, ROOT, Running, answers, is_free, start_open_webui

# The first start migrates the database and can take a minute on a slow disk.
START_SECONDS = 180.0


@dataclass(frozen=True)
class Settings:
    """Where Open WebUI is to be (a port of loopback) and keep its data, and what is to answer in it."""

    port: int
    data: Path
    ollama_url: str
    engine: Path
    engine_port: int
    demo: bool = False

    @property
    def url(self) -> str:
        """The address of Open WebUI."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The file that Open WebUI writes to."""
        return self.data.parent / f"{self.data.name}.log"


def check_settings(settings: Settings) -> None:
    """Raise InstallError for settings that cannot work, before anything is fetched or started."""
    if not is_address(settings.ollama_url):
        raise InstallError(f"'{settings.ollama_url}' is not an address: give Ollama's, such as http://127.0.0.1:11434.")
    if settings.port == settings.engine_port:
        raise InstallError(f"Port {settings.port} cannot serve both: give --port and --engine-port different ones.")
    for option, folder in (("--data", settings.data), ("--engine", settings.engine)):
        # An empty value, of a variable that is not set, is the folder that one is in.
        if folder in (ROOT, *ROOT.parents, Path.cwd()):
            raise InstallError(f"{folder} is no folder of its own: name another with {option}.")


def choose_backend(settings: Settings, console: Console) -> Backend:
    """What is to answer: the stand-ins if they are asked for, the Ollama if it is there, else a real engine."""
    if settings.demo:
        return StandIns(console)
    if answers(f"{settings.ollama_url}/api/version"):
        return FoundOllama(settings.ollama_url)
    return RealEngine(settings.engine, settings.engine_port, settings.ollama_url, console)


def start_server(settings: Settings, environment: Mapping[str, str], running: Running) -> Callable[[], bool]:
    """Start Open WebUI; returns what tells whether it still runs. Raises InstallError if its port is taken."""
    if not is_free(settings.port):
        raise InstallError(f"Port {settings.port} is taken by another program: choose another with --port.")
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        # Held until this program ends: two servers on one database would spoil it.
        running.hold(FileLock(settings.data / "rightsize.lock", timeout=0))
        server = start_open_webui(settings.port, environment, settings.data)
    except Timeout as error:
        problem = f"{settings.data} is in use by another scripts/up"
        raise InstallError(f"{problem}: stop that one first, or name another folder with --data.") from error
    except OSError as error:
        problem = f"{settings.data} cannot be used ({error.strerror})"
        raise InstallError(f"{problem}: name another folder with --data.") from error
    running.add("Open WebUI", server, settings.log)
    return lambda: server.poll() is None


def up(settings: Settings, console: Console) -> None:
    """Start what is missing, install Rightsize, and serve until interrupted.

    Raises InstallError if Open WebUI or what is to answer cannot start.
    """
    check_settings(settings)
    backend = choose_backend(settings, console)
    backend.check()
    documents = Documents(settings.data / "rightsize-documents-whole", backend.embedder(), hugging_face_answers())
    with Running() as running:
        still_runs: Callable[[], bool] | None = None
        if answers(f"{settings.url}/health"):
            console.print(f"Open WebUI is already running at {settings.url}: bringing Rightsize up to date in it.")
        else:
            console.print("Starting Open WebUI (the first start takes about half a minute) ...")
            still_runs = start_server(settings, documents.environment(), running)
        # Meanwhile: it takes its time to come up.
        backend.start(running)
        client = OpenWebUIClient(settings.url)
        try:
            try:
                client.wait_until_up(START_SECONDS, still_runs or (lambda: True))
            except InstallError as error:
                raise InstallError(f"{error} Its log is {settings.log}.") from error
            client.sign_in("", "")
            own = [DEMO_OLLAMA, DEMO_CLOUD, settings.ollama_url, f"http://{HOST}:{settings.engine_port}/v1"]
            connect_backends(client, backend.connections(), own)
            done = install(client, {})
            done += set_valves(client, {PIPE: backend.valves(client.valves(PIPE))})
            if still_runs:
                done += documents.arrange(client, [DEMO_OLLAMA])
        finally:
            client.close()
        for line in done:
            console.print(f"  {line}")
        console.print(f"\n[bold green]Ready:[/] open {settings.url} and pick [bold]Auto[/] in the model menu.")
        console.print(backend.description())
        if running.is_empty:
            return
        console.print(f"The log is {settings.log}. Press Ctrl+C to stop.")
        running.wait(console.print)
