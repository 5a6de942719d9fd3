"""The installer's commands: `python -m installer install` and `python -m installer up`."""

import signal
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from installer.backends import ENGINE_PORT
from installer.client import OpenWebUIClient
from installer.errors import InstallError, StoppedByItself
from installer.install import install, parse_json, read_json
from installer.processes import STATE
from installer.up import Settings, up

app = typer.Typer(help="Install Rightsize into an Open WebUI.", no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(soft_wrap=True)


@app.command("install")
def install_command(
    url: Annotated[str, typer.Option(envvar="OPEN_WEBUI_URL", help="Where Open WebUI is.")] = "http://127.0.0.1:8080",
    email: Annotated[str, typer.Option(envvar="OPEN_WEBUI_EMAIL", help="An administrator's email.")] = "",
    password: Annotated[str, typer.Option(envvar="OPEN_WEBUI_PASSWORD", help="The administrator's password.")] = "",
    api_key: Annotated[
        str,
        typer.Option(envvar="OPEN_WEBUI_API_KEY", help="An administrator's API key, instead of email and password."),
    ] = "",
    valves: Annotated[
        str, typer.Option(envvar="RIGHTSIZE_VALVES", help='Valves by function, as JSON: {"rightsize": {...}}.')
    ] = "",
    valves_file: Annotated[Path | None, typer.Option(help="A file with valves in that form.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for Open WebUI to come up.")] = 300.0,
) -> None:
    """Put functions, valves and presets into an Open WebUI that is already there."""
    try:
        wanted = read_json(valves_file) if valves_file else parse_json(valves or "{}", "--valves")
        with closing(OpenWebUIClient(url)) as client:
            client.wait_until_up(wait)
            if api_key:
                client.authorize(api_key)
            else:
                client.sign_in(email, password)
            for line in install(client, wanted):
                console.print(f"  {line}")
        console.print("[bold green]Rightsize is installed.[/]")
    except InstallError as error:
        console.print(f"[bold red]Not installed:[/] {escape(str(error))}")
        raise typer.Exit(1) from error


@app.command("up")
def up_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Open WebUI on loopback.")] = 8080,
    ollama_url: Annotated[
        str, typer.Option(envvar="OLLAMA_BASE_URL", help="The Ollama to use if it answers.")
    ] = "http://127.0.0.1:11434",
    data: Annotated[Path, typer.Option(help="Where Open WebUI keeps its data.")] = STATE / "open-webui",
    engine: Annotated[
        Path, typer.Option(envvar="RIGHTSIZE_ENGINE", help="Where a real engine is kept, for when there is no Ollama.")
    ] = STATE / "engine",
    engine_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of that engine on loopback.")] = ENGINE_PORT,
    demo: Annotated[bool, typer.Option("--demo", help="Start stand-ins without a real model.")] = False,
) -> None:
    """Start Open WebUI on loopback with Rightsize in it."""
    # However it is stopped, also by a service manager or from a shell's background, the servers go with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        up(Settings(port, data.resolve(), ollama_url.rstrip("/"), engine.resolve(), engine_port, demo), console)
    except KeyboardInterrupt:
        console.print("\nStopped.")
    except StoppedByItself as error:
        console.print(f"[bold red]Stopped:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
    except InstallError as error:
        console.print(f"[bold red]Not started:[/] {escape(str(error))}")
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
