"""The bundler: sources into single files for Open WebUI."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import bundle
from scripts.bundle import BundleError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small source tree in place of the project's."""
    (tmp_path / "rightsize").mkdir()
    (tmp_path / "pipelines").mkdir()
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    yield tmp_path


def write(tree: Path, **modules: str) -> Path:
    for name, text in modules.items():
        if name != "entry":
            (tree / "rightsize" / f"{name}.py").write_text(text)
    entry = tree / "pipelines" / "entry.py"
    entry.write_text('"""\ntitle: T\ndescription: D\n"""\n\n' + modules.get("entry", ""))
    return entry


def test_modules_come_before_what_needs_them_and_imports_are_gathered(tree: Path) -> None:
    entry = write(
        tree,
        entry="import json\nfrom rightsize.b import two\n\n\nclass Pipe:\n    four = two + 2\n",
        b='"""B."""\n\nimport json\nfrom rightsize.a import one\n\ntwo = one + 1\n',
        a='"""A."""\n\nfrom typing import Any\n\none: Any = 1\n',
    )
    text = bundle.bundle(entry)
    assert text.index("one: Any = 1") < text.index("two = one + 1") < text.index("four = two + 2")
    assert text.count("import json") == 1
    assert "from rightsize" not in text
    names: dict[str, object] = {}
    exec(text, names)
    assert names["Pipe"].four == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ({"entry": "from rightsize.a import x as y\n", "a": "x = 1\n"}, "under another name"),
        ({"entry": "import rightsize.a\n", "a": "x = 1\n"}, "write 'from module import name'"),
        (
            {
                "entry": "from rightsize.a import x\n",
                "a": "from rightsize.b import x\n",
                "b": "from rightsize.a import x\n",
            },
            "cycle",
        ),
        (
            {"entry": "from rightsize.a import x\ndef x(): ...\n", "a": "x = 1\n"},
            "'x' already stands for something else",
        ),
        (
            {"entry": "from rightsize.a import x\n", "a": 'x = "see from utils"\n'},
            "would rewrite the words 'from utils'",
        ),
    ],
    ids=["alias", "plain-import", "cycle", "same-name", "rewritten-words"],
)
def test_what_cannot_be_flattened_is_refused(tree: Path, modules: dict[str, str], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        bundle.bundle(write(tree, **modules))


def test_dist_is_up_to_date_and_staleness_is_noticed(tmp_path: Path) -> None:
    script = bundle.ROOT / "scripts" / "bundle.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    files = bundle.build()
    assert {path.name for path in files} == {path.name for path in bundle.DIST.iterdir()}


def test_a_stale_bundle_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "DIST", tmp_path / "dist")
    monkeypatch.setattr(sys, "argv", ["bundle.py"])
    assert bundle.main() == 0
    monkeypatch.setattr(sys, "argv", ["bundle.py", "--check"])
    assert bundle.main() == 0
    (tmp_path / "dist" / "rightsize.py").write_text("old")
    assert bundle.main() == 1
    assert "dist/ is stale (rightsize.py): run python scripts/bundle.py" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "kind"), [("rightsize", "pipe"), ("privacy_guard", "filter")])
def test_each_function_can_be_imported_as_open_webui_exports_them(name: str, kind: str) -> None:
    (function,) = json.loads((bundle.DIST / f"{name}.json").read_text())
    assert (function["id"], function["type"]) == (name, kind)
    assert function["meta"]["manifest"]["required_open_webui_version"] == "0.12.0"
    # Open WebUI switches a function off, a guard too, when its requirements cannot be installed.
    assert "requirements" not in function["meta"]["manifest"]
    assert function["content"] == (bundle.DIST / f"{name}.py").read_text()
    classes = [node.name for node in ast.parse(function["content"]).body if isinstance(node, ast.ClassDef)]
    assert kind.capitalize() in classes
