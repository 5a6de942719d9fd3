"""Run the demo engine: `python -m demo`."""

import asyncio
from typing import Annotated

import typer
import uvicorn

from demo import cloud, ollama


def main(
    ollama_port: Annotated[int, typer.Option(help="Port of the Ollama double on loopback.")] = 11434,
    cloud_port: Annotated[int, typer.Option(help="Port of the cloud double on loopback; 0 leaves it out.")] = 11480,
    max_loaded_models: Annotated[
        int, typer.Option(envvar="OLLAMA_MAX_LOADED_MODELS", min=1, help="Most models loaded at once.")
    ] = 3,
) -> None:
    """Serve the demo engine on loopback until it is stopped. No model runs: every answer says so."""
    # About the pace of a 24 GB consumer GPU: a 3B model answers at once and a 32B model takes its time.
    behaviour = ollama.Behaviour(max_loaded_models, load_seconds_per_billion=0.05, seconds_per_piece=0.004)
    apps = [(ollama.create_app(behaviour=behaviour), ollama_port)]
    if cloud_port:
        apps.append((cloud.create_app(behaviour=cloud.CloudBehaviour(seconds_per_piece=0.02)), cloud_port))

    async def serve() -> None:
        servers = [uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="warning")) for app, port in apps]
        await asyncio.gather(*(server.serve() for server in servers))

    asyncio.run(serve())


if __name__ == "__main__":
    typer.run(main)
