"""What docs/architecture.md says of the code holds."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORE = sorted((ROOT / "rightsize").rglob("*.py"))
EDGE = sorted((ROOT / "rightsize_webui").glob("*.py"))
ENTRIES = [ROOT / "pipelines/rightsize.py", ROOT / "filters/privacy_guard.py"]
# What the core may import: what computes, and nothing that reads or sends.
COMPUTING = set(
    "__future__ collections dataclasses enum hashlib importlib ipaddress json math pydantic re rightsize typing "
    "unicodedata urllib".split()
)


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_computes_and_does_nothing_else(path: Path) -> None:
    assert imported(path) <= COMPUTING


def test_one_module_alone_imports_open_webui() -> None:
    assert [path.name for path in [*CORE, *EDGE, *ENTRIES] if "open_webui" in imported(path)] == ["host.py"]


def test_files_are_short() -> None:
    folders = ("rightsize", "rightsize_webui", "pipelines", "filters", "installer", "demo", "scripts", "tests")
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) < 400, path
