"""`--bundle rightsize` tests that file of dist/ in place of the sources: the core's tests and the functions' own."""

import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

DIST = Path(__file__).resolve().parent.parent / "dist"
SOURCES = ("rightsize", "rightsize_webui", "pipelines", "filters")


class BundledModules(MetaPathFinder, Loader):
    """Gives a bundle for every source module that is in it, and skips test files that need another."""

    def __init__(self, function_id: str) -> None:
        path = DIST / f"{function_id}.py"
        text = path.read_text(encoding="utf-8")
        # Open WebUI names the modules that it makes of functions so.
        self._bundle = ModuleType(f"function_{function_id}_{'0' * 32}")
        sys.modules[self._bundle.__name__] = self._bundle
        exec(compile(text, path, "exec"), self._bundle.__dict__)
        sections = re.findall(r"^# ---- (\S+)\.py -+$", text, re.MULTILINE)
        self._modules = {section.replace("/", ".") for section in sections}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The bundle's spec for a module that it holds."""
        if fullname in self._modules:
            return ModuleSpec(fullname, self)
        if (DIST.parent / fullname.replace(".", "/")).is_dir():
            # A folder of sources, in which modules of the bundle are looked for in turn.
            return None
        package, _, module = fullname.partition(".")
        if module and package in SOURCES:
            pytest.skip(f"{fullname} is not in this bundle", allow_module_level=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The bundle itself."""
        return self._bundle

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--bundle` and `--screenshots`."""
    parser.addoption(
        "--screenshots", type=Path, default=Path("test-results"), help="where the end-to-end tests keep their pictures"
    )
    parser.addoption("--bundle", choices=("rightsize", "privacy_guard"), help="test this bundle, not the sources")


def pytest_configure(config: pytest.Config) -> None:
    """Put the bundle before the sources."""
    function_id = config.getoption("--bundle")
    if function_id:
        sys.meta_path.insert(0, BundledModules(function_id))
