"""Hold the double of Ollama against a record of what a real one answered."""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from demo.ollama import Behaviour, DemoModel, create_app
from demo.ollama.models import Architecture

HOST = "127.0.0.1"
# The record's questions take a few seconds; a double that hangs is not to hang who asks.
WITHIN_SECONDS = 600
# /api/show of a model that was not asked about: numbers of a small model stand in for those that nothing tells.
_UNTOLD = {"block_count": 24, "feed_forward_length": 4_864, "head_count": 14, "head_count_kv": 2}


class NoRecord(Exception):
    """There is no record that can be used; the text says what is missing."""


def _architecture(family: str, told: Mapping[str, Any], details: Mapping[str, Any], names: list[str]) -> Architecture:
    numbers = dict(_UNTOLD)
    for field in Architecture.model_fields:
        for key in (f"{family}.{field}", f"{family}.attention.{field}"):
            if isinstance(told.get(key), int):
                numbers[field] = told[key]
        if isinstance(details.get(field), int):
            numbers[field] = details[field]
    return Architecture.model_validate(
        {"family": family, **numbers, "tied": bool(names) and "output.weight" not in names}
    )


def described_models(record: Mapping[str, Any]) -> list[DemoModel]:
    """Models like those of the record, as far as it describes them. Raises NoRecord if it has another form."""
    try:
        shown = record["show: keys"]["body"]
        models = []
        for tag in record["tags: keys"]["body"]["models"]:
            details = tag["details"]
            # What /api/show told is told of one model alone.
            show = shown if shown["details"].items() <= details.items() else {}
            info = show.get("model_info", {})
            number, unit = details["parameter_size"][:-1], details["parameter_size"][-1]
            count = int(float(number) * {"K": 1e3, "M": 1e6, "B": 1e9}[unit])
            names = [tensor["name"] for tensor in show.get("tensors", [])]
            models.append(
                DemoModel(
                    name=tag["name"],
                    size=tag["size"],
                    parameter_count=info.get("general.parameter_count", count),
                    architecture=_architecture(details["family"], info, details, names),
                    capabilities=tuple(show.get("capabilities", tag["capabilities"])),
                    quantization=details["quantization_level"],
                    modified_at=tag["modified_at"],
                    given_digest=tag["digest"],
                )
            )
    except (KeyError, TypeError, ValueError) as error:
        raise NoRecord(f"The record is not of the form that is expected ({type(error).__name__}: {error}).") from error
    return models


def _asked_about(record: Mapping[str, Any]) -> tuple[str, str]:
    """The two models that the questions are about: the one that is loaded first, and the second one."""
    return str(record["load by generate"]["body"]["model"]), str(record["second model"]["body"]["model"])


@contextmanager
def _served(models: list[DemoModel]) -> Iterator[str]:
    """The double of the record's machine, which had no GPU; yields its address."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    app = create_app(models, Behaviour(gpu_memory_gib=0.0))
    server = uvicorn.Server(uvicorn.Config(app, HOST, port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def compare_with_record(folder: Path) -> str:
    """Ask the double what a real Ollama was asked, and compare; returns the comparison, a line for each difference.

    `folder` holds golden.json (the record), conformance.py (asks) and compare.py (compares). Raises NoRecord.
    """
    golden = folder / "golden.json"
    for path in (golden, folder / "conformance.py", folder / "compare.py"):
        if not path.is_file():
            raise NoRecord(f"{path} is not there: name a folder with golden.json, conformance.py and compare.py.")
    try:
        record = json.loads(golden.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NoRecord(f"{golden} is not JSON: {error}.") from error
    models = described_models(record)
    with tempfile.TemporaryDirectory() as temporary, _served(models) as url:
        answers = str(Path(temporary) / "answers.json")
        _run(folder / "conformance.py", url, *_asked_about(record), answers)
        return _run(folder / "compare.py", str(golden), answers)


def _run(script: Path, *arguments: str) -> str:
    """Run one of the record's programs and return what it printed. Raises NoRecord if it fails."""
    command = [sys.executable, str(script), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_SECONDS, check=True)
    except subprocess.SubprocessError as error:
        last = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        raise NoRecord(f"{script.name} failed: {''.join(last)}") from error
    return done.stdout
