"""Start Open WebUI with Rightsize in it, on whatever Ollama there is."""

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from installer.client import InstallError, OpenWebUIClient, is_address
from installer.install import install
from installer.processes import HOST, answers, is_free, start_demo_engine, start_open_webui

DEMO_OLLAMA_PORT = 11435
DEMO_CLOUD_PORT = 11480
DEMO_NOTICE = (
    "[bold yellow]DEMO ENGINE[/]: no Ollama answers at {url}, so a stand-in without real models answers in its place. "
    "Install Ollama (https://ollama.com), pull a model of each size, and run this again for real answers."
)
# The first start migrates the database and can take a minute on a slow disk.
START_SECONDS = 180.0


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()


def _expect_free(port: int, advice: str) -> None:
    if not is_free(port):
        raise InstallError(f"Port {port} is taken by another program: {advice}.")


def connect_backends(client: OpenWebUIClient, ollama_url: str, with_demo_cloud: bool) -> None:
    """Point Open WebUI at the Ollama that was found, and at the demo cloud or away from it.

    Other connections that somebody has added are kept.
    """
    ollama = client.call("GET", "/ollama/config")
    own = {ollama_url, f"http://{HOST}:{DEMO_OLLAMA_PORT}", "http://localhost:11434", f"http://{HOST}:11434"}
    kept = [url for url in ollama.get("OLLAMA_BASE_URLS", []) if url.rstrip("/") not in own]
    ollama_form = {
        **ollama,
        "ENABLE_OLLAMA_API": True,
        "OLLAMA_BASE_URLS": [ollama_url, *kept],
        "OLLAMA_API_CONFIGS": {},
    }
    client.call("POST", "/ollama/config/update", json=ollama_form)

    demo_cloud = f"http://{HOST}:{DEMO_CLOUD_PORT}/v1"
    openai = client.call("GET", "/openai/config")
    urls, keys = openai.get("OPENAI_API_BASE_URLS", []), openai.get("OPENAI_API_KEYS", [])
    configs = openai.get("OPENAI_API_CONFIGS", {})
    # A connection without a key is the empty one that Open WebUI comes with.
    connections = [
        (url, key, configs.get(str(index), {}))
        for index, (url, key) in enumerate(zip(urls, keys, strict=False))
        if url != demo_cloud and (key or configs.get(str(index)))
    ]
    if with_demo_cloud:
        connections.append((demo_cloud, "demo", {"enable": True, "connection_type": "external"}))
    openai_form = {
        "ENABLE_OPENAI_API": bool(connections),
        "OPENAI_API_BASE_URLS": [url for url, _, _ in connections],
        "OPENAI_API_KEYS": [key for _, key, _ in connections],
        "OPENAI_API_CONFIGS": {str(index): config for index, (_, _, config) in enumerate(connections)},
    }
    client.call("POST", "/openai/config/update", json=openai_form)


def up(port: int, ollama_url: str, data: Path, console: Console) -> None:
    """Start what is missing, install Rightsize, and serve until interrupted; Open WebUI keeps its data in `data`.

    Raises InstallError if Open WebUI or the demo engine cannot start.
    """
    if not is_address(ollama_url):
        raise InstallError(f"'{ollama_url}' is not an address: give Ollama's, such as http://127.0.0.1:11434.")
    url = f"http://{HOST}:{port}"
    with ExitStack() as stack:
        found_ollama = answers(f"{ollama_url}/api/version")
        if not found_ollama:
            console.print(DEMO_NOTICE.format(url=ollama_url))
            if not answers(f"http://{HOST}:{DEMO_OLLAMA_PORT}/api/version"):
                for needed in (DEMO_OLLAMA_PORT, DEMO_CLOUD_PORT):
                    _expect_free(needed, "stop that program, or start Ollama")
                stack.callback(_stop, start_demo_engine(DEMO_OLLAMA_PORT, DEMO_CLOUD_PORT))
            ollama_url = f"http://{HOST}:{DEMO_OLLAMA_PORT}"
        server = None
        if answers(f"{url}/health"):
            console.print(f"Open WebUI is already running at {url}: bringing Rightsize up to date in it.")
        else:
            console.print("Starting Open WebUI (the first start takes about half a minute) ...")
            demo = {
                "RAG_EMBEDDING_ENGINE": "ollama",
                "RAG_EMBEDDING_MODEL": "demo-embed",
                "RAG_OLLAMA_BASE_URL": ollama_url,
            }
            _expect_free(port, "choose another with --port")
            server = start_open_webui(port, {} if found_ollama else demo, data)
            stack.callback(_stop, server)
        client = OpenWebUIClient(url)
        stack.callback(client.close)
        log = data.parent / f"{data.name}.log"
        try:
            client.wait_until_up(START_SECONDS, lambda: server is None or server.poll() is None)
        except InstallError as error:
            raise InstallError(f"{error} Its log is {log}.") from error
        client.sign_in("", "")
        connect_backends(client, ollama_url, with_demo_cloud=not found_ollama)
        for line in install(client, {}):
            console.print(f"  {line}")
        console.print(f"\n[bold green]Ready:[/] open {url} and pick [bold]Auto[/] in the model menu.")
        if server is None:
            return
        console.print(f"The log is {log}. Press Ctrl+C to stop.")
        while server.poll() is None:
            time.sleep(0.5)
        raise InstallError(f"Open WebUI stopped by itself: its log is {log}.")
