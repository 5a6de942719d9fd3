"""The demo engine's commands: `python -m demo serve`, `cloud` and `conformance`."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn

from demo import cloud, ollama
from demo.conformance import NoRecord, compare_with_record
from demo.ollama.durations import parse_keep_alive_setting
from demo.ollama.models import DEFAULT_FILE, load_models

HOST = "127.0.0.1"
# As many of the record's checks must agree, of 63: one that cannot is named, and the rest is kept.
LEAST_THAT_AGREE = 60

app = typer.Typer(
    help="Doubles of Ollama and of a cloud provider, without a model behind them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CloudPort = Annotated[int, typer.Option(min=0, max=65535, help="Port of the cloud double on loopback.")]


def _serve(apps: Sequence[tuple[Any, int]]) -> None:
    for made, port in apps:
        typer.echo(f"{made.title}: http://{HOST}:{port}")

    async def serve() -> None:
        servers = [uvicorn.Server(uvicorn.Config(made, HOST, port, log_level="warning")) for made, port in apps]
        await asyncio.gather(*(server.serve() for server in servers))

    asyncio.run(serve())


def _cloud() -> Any:
    return cloud.create_app(behaviour=cloud.CloudBehaviour(seconds_per_piece=0.02))


@app.command("serve")
def serve_command(
    ollama_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Ollama double on loopback.")] = 11434,
    cloud_port: CloudPort = 11480,
    gpu_memory: Annotated[float, typer.Option(min=0, help="Memory of its GPU in GiB; 0 is no GPU.")] = 24.0,
    models: Annotated[Path, typer.Option(help="The models it has, as JSON.")] = DEFAULT_FILE,
    pace: Annotated[float, typer.Option(min=0, help="1 takes the time that a model would; 0 answers at once.")] = 1.0,
    context_length: Annotated[int, typer.Option(envvar="OLLAMA_CONTEXT_LENGTH", min=0)] = 0,
    num_parallel: Annotated[int, typer.Option(envvar="OLLAMA_NUM_PARALLEL", min=0)] = 0,
    max_queue: Annotated[int, typer.Option(envvar="OLLAMA_MAX_QUEUE", min=1)] = 512,
    max_loaded_models: Annotated[int, typer.Option(envvar="OLLAMA_MAX_LOADED_MODELS", min=0)] = 0,
    keep_alive: Annotated[str, typer.Option(envvar="OLLAMA_KEEP_ALIVE")] = "5m",
) -> None:
    """Serve both doubles on loopback until stopped. A cloud port of 0 leaves that one out."""
    try:
        behaviour = ollama.Behaviour(
            context_length=context_length or None,
            num_parallel=num_parallel or 1,
            max_queue=max_queue,
            max_loaded_models=max_loaded_models,
            keep_alive=parse_keep_alive_setting(keep_alive),
            gpu_memory_gib=gpu_memory,
            time_scale=pace,
        )
        served = ollama.create_app(load_models(models), behaviour)
    except ValueError as error:
        typer.echo(f"Not started: {error}", err=True)
        raise typer.Exit(1) from error
    _serve([(served, ollama_port), *([(_cloud(), cloud_port)] if cloud_port else [])])


@app.command("cloud")
def cloud_command(port: CloudPort = 11480) -> None:
    """Serve the double of a cloud provider alone, on loopback, until stopped."""
    _serve([(_cloud(), port)])


@app.command("conformance")
def conformance_command(
    folder: Annotated[Path, typer.Argument(help="Holds golden.json, conformance.py and compare.py.")],
) -> None:
    """Compare the double of Ollama with a record of a real one; fails below 60 checks that agree."""
    try:
        comparison = compare_with_record(folder)
    except NoRecord as error:
        typer.echo(f"Not compared: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(comparison.rstrip())
    agreed = re.search(r"(\d+) of \d+ checks agree\s*$", comparison)
    if agreed is None or int(agreed[1]) < LEAST_THAT_AGREE:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
