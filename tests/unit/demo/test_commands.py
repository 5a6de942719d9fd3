"""The demo's commands."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from demo.__main__ import app

ASK = """
import http.client, json, sys, urllib.parse
url, small, medium, out = sys.argv[1:]
connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc)
connection.request("GET", "/api/tags")
json.dump({"names": [m["name"] for m in json.load(connection.getresponse())["models"]]}, open(out, "w"))
"""
COMPARE = """
import json, sys
names = json.load(open(sys.argv[2]))["names"]
print("first differs" if len(names) < 2 else "")
print(f"{60 + len(names) - 1} of 63 checks agree")
"""
DETAILS = {"family": "llama", "parameter_size": "1.0B", "quantization_level": "Q4_0", "context_length": 2048}


def tag(name: str) -> dict[str, Any]:
    details = {**DETAILS, "embedding_length": 64}
    given = {"size": 1000, "digest": "d", "modified_at": "2026-01-01T00:00:00Z", "capabilities": ["completion"]}
    return {"name": name, "details": details, **given}


def make_record(folder: Path, *names: str) -> None:
    """A record of a real Ollama's answers, with programs that ask and compare less than the true ones."""
    golden = {
        "tags: keys": {"body": {"models": [tag(name) for name in names]}},
        "show: keys": {"body": {"details": {"family": "other"}}},
        "load by generate": {"body": {"model": names[0]}},
        "second model": {"body": {"model": names[-1]}},
    }
    (folder / "golden.json").write_text(json.dumps(golden))
    (folder / "conformance.py").write_text(ASK)
    (folder / "compare.py").write_text(COMPARE)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_the_double_is_asked_and_compared(tmp_path: Path) -> None:
    make_record(tmp_path, "a:1b", "b:1b")
    status, output = run("conformance", str(tmp_path))
    assert (status, output.strip().splitlines()[-1]) == (0, "61 of 63 checks agree")


def test_too_few_that_agree_fail(tmp_path: Path) -> None:
    make_record(tmp_path, "a:1b")
    (tmp_path / "compare.py").write_text(COMPARE.replace("60", "59"))
    status, output = run("conformance", str(tmp_path))
    assert status == 1
    assert "first differs" in output
    assert output.strip().endswith("59 of 63 checks agree")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("golden.json", None, "golden.json is not there"),
        ("compare.py", None, "compare.py is not there"),
        ("golden.json", "{", "golden.json is not JSON"),
        ("golden.json", "{}", "The record is not of the form"),
        ("conformance.py", "raise SystemExit('no server')", "conformance.py failed: no server"),
    ],
)
def test_a_record_that_cannot_be_used_is_one_sentence(tmp_path: Path, file: str, text: str | None, words: str) -> None:
    make_record(tmp_path, "a:1b")
    if text is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(text)
    status, output = run("conformance", str(tmp_path))
    assert status == 1
    assert output.startswith("Not compared: ")
    assert words in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "missing.json"], "missing.json cannot be read"),
        (["--keep-alive", "soon"], 'time: invalid duration "soon"'),
    ],
)
def test_a_double_that_cannot_start_is_one_sentence(arguments: list[str], words: str) -> None:
    status, output = run("serve", *arguments)
    assert (status, output.count("Not started:")) == (1, 1)
    assert words in output
