#!/usr/bin/env python3
"""Turn each entry file and the modules it needs into one self-contained function for Open WebUI.

    python scripts/bundle.py           write dist/
    python scripts/bundle.py --check   fail if dist/ is not what the sources give

An Open WebUI function is a single file. Each entry's own modules are put before it in the order they need each
other, their imports of one another left out and all other imports gathered at the top. What may not be flattened
(two modules that use one name for different things, an import under another name) stops the bundle.
"""

import argparse
import ast
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
PRESETS = ROOT / "presets"
OWN_PACKAGES = ("rightsize", "rightsize_webui")
ENTRIES = {"rightsize": ROOT / "pipelines/rightsize.py", "privacy_guard": ROOT / "filters/privacy_guard.py"}
# Open WebUI rewrites these words wherever they stand in a function, in strings and comments too.
REWRITTEN_BY_OPEN_WEBUI = ("from utils", "from apps", "from main", "from config")


class BundleError(Exception):
    """The sources cannot be put into one file."""


@dataclass
class Module:
    """One source file taken apart: its own imports, other imports, the names it defines, and its code."""

    path: Path
    docstring: str
    needs: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    defines: dict[str, str] = field(default_factory=dict)
    code: str = ""


def module_path(name: str) -> Path:
    """The file of one of our own modules."""
    return ROOT / (name.replace(".", "/") + ".py")


def defined_names(node: ast.stmt) -> list[str]:
    """The names that a top-level statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        names = [name for target in node.targets for name in ast.walk(target)]
        return [name.id for name in names if isinstance(name, ast.Name)]
    return []


def read_module(path: Path) -> Module:
    """Take a source file apart. Raises BundleError for an import that cannot be flattened."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    module = Module(path, ast.get_docstring(tree, clean=True) or "")
    dropped: set[int] = set()
    for position, node in enumerate(tree.body):
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if position == 0 and module.docstring:
            dropped.update(span)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OWN_PACKAGES:
            if any(alias.asname for alias in node.names):
                raise BundleError(f"{path.name}:{node.lineno}: own modules cannot be imported under another name")
            module.needs.append(node.module or "")
            dropped.update(span)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.Import) and any(a.name.split(".")[0] in OWN_PACKAGES for a in node.names):
                raise BundleError(f"{path.name}:{node.lineno}: write 'from module import name' for own modules")
            module.imports.add(ast.unparse(node))
            dropped.update(span)
        else:
            text = ast.unparse(node)
            module.defines.update(dict.fromkeys(defined_names(node), text))
    module.code = "".join(line for number, line in enumerate(lines, 1) if number not in dropped).strip("\n")
    return module


def in_order(entry: Module) -> list[Module]:
    """The modules that an entry needs, each after those it needs itself. Raises BundleError on a cycle."""
    done: dict[str, Module] = {}
    open_names: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in open_names:
            raise BundleError(f"import cycle: {' -> '.join([*open_names, name])}")
        open_names.append(name)
        module = read_module(module_path(name))
        for needed in module.needs:
            visit(needed)
        open_names.pop()
        done[name] = module

    for needed in entry.needs:
        visit(needed)
    return list(done.values())


def merge_imports(imports: set[str]) -> list[str]:
    """Merge `from x import a` and `from x import b`, and sort as ruff would: plain imports first."""
    plain = sorted(line for line in imports if line.startswith("import "))
    names: dict[str, set[str]] = {}
    for line in imports:
        match = re.fullmatch(r"from (\S+) import (.+)", line)
        if match:
            names.setdefault(match[1], set()).update(match[2].split(", "))
    return plain + [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(names.items())]


def drop_repeats(module: Module, defined: dict[str, str]) -> str:
    """The module's code without statements that an earlier module has word for word.

    Raises BundleError if a name already stands for something else.
    """
    code = module.code
    for name, text in module.defines.items():
        if name not in defined:
            defined[name] = text
        elif defined[name] == text and "\n" not in text:
            code = code.replace(text, "", 1).strip("\n")
        else:
            raise BundleError(f"{module.path.name}: '{name}' already stands for something else in the bundle")
    return code


def bundle(entry_path: Path) -> str:
    """The bundled source of one entry file."""
    entry = read_module(entry_path)
    modules = in_order(entry)
    imports = set(entry.imports).union(*(module.imports for module in modules))
    frontmatter = f'"""\n{entry.docstring}\n"""'
    relative = entry_path.relative_to(ROOT)
    parts = [frontmatter, f"# Made by scripts/bundle.py from {relative}: change that file, not this one.\n"]
    parts.append("\n".join(merge_imports(imports)))
    defined: dict[str, str] = {}
    for module in [*modules, entry]:
        code = drop_repeats(module, defined)
        title = f"# ---- {module.path.relative_to(ROOT)} "
        about = (
            "" if module is entry else "\n" + "\n".join(f"# {line}".rstrip() for line in module.docstring.splitlines())
        )
        parts.append(f"\n{title.ljust(100, '-')}{about}\n\n{code}")
    text = "\n".join(parts) + "\n"
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    for words in REWRITTEN_BY_OPEN_WEBUI:
        if words in text:
            raise BundleError(f"{relative}: Open WebUI would rewrite the words '{words}'")
    compile(text, f"{entry_path.stem}.py", "exec")
    return text


def frontmatter_of(text: str) -> dict[str, str]:
    """The `key: value` lines of the opening docstring, as Open WebUI reads them."""
    return dict(re.findall(r"^\s*([a-z_]+):\s*(.*?)\s*$", text.split('"""')[1], re.IGNORECASE | re.MULTILINE))


def importable(function_id: str, text: str) -> dict[str, object]:
    """One function in the form that Admin Panel > Functions > Import takes."""
    manifest = frontmatter_of(text)
    return {
        "id": function_id,
        "name": manifest["title"],
        "type": "filter" if "\nclass Filter" in text else "pipe",
        "content": text,
        "meta": {"description": manifest["description"], "manifest": manifest},
        "is_active": True,
        "is_global": "\nclass Filter" in text,
    }


def build() -> dict[Path, str]:
    """Every file of dist/ and its text."""
    bundles = {function_id: bundle(path) for function_id, path in ENTRIES.items()}
    files = {DIST / f"{function_id}.py": text for function_id, text in bundles.items()}
    functions = [importable(function_id, text) for function_id, text in bundles.items()]
    for function in functions:
        files[DIST / f"{function['id']}.json"] = json.dumps([function], indent=1, ensure_ascii=False) + "\n"
    presets = [preset for path in sorted(PRESETS.glob("*.json")) for preset in json.loads(path.read_text("utf-8"))]
    files[DIST / "presets.json"] = json.dumps(presets, indent=1, ensure_ascii=False) + "\n"
    files[DIST / "functions.json"] = json.dumps(functions, indent=1, ensure_ascii=False) + "\n"
    return files


def main() -> int:
    """Write dist/, or with --check compare it. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Bundle Rightsize's functions for Open WebUI.")
    parser.add_argument("--check", action="store_true", help="only say whether dist/ is up to date")
    check = parser.parse_args().check
    try:
        files = build()
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    if check:
        stale = [path.name for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
        unknown = [path.name for path in DIST.glob("*") if path not in files]
        if stale or unknown:
            names = ", ".join(stale + unknown)
            print(f"bundle: dist/ is stale ({names}): run python scripts/bundle.py", file=sys.stderr)
            return 1
        print(f"bundle: dist/ is up to date ({len(files)} files)")
        return 0
    DIST.mkdir(exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    print(f"bundle: wrote {len(files)} files to dist/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
