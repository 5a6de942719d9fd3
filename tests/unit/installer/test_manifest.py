"""The manifest: what it says of the real files, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from installer.engine.manifest import MANIFEST, PackagesSource, UrlSource, read_manifest
from installer.errors import InstallError


def test_the_manifest_names_each_file_with_its_official_source_first() -> None:
    manifest = read_manifest()
    assert {(build.system, build.machine) for build in manifest.engines} == {
        ("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"),
    }  # fmt: skip
    assert {model.model_id: (model.tier, model.bytes, model.sha256) for model in manifest.models} == {
        "qwen2.5-coder-0.5b-instruct-q4_k_m": (
            "small", 491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        ),
        "qwen2.5-coder-1.5b-instruct-q4_k_m": (
            "medium", 1_117_320_768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        ),
    }  # fmt: skip
    for model in manifest.models:
        official, mirror = model.sources
        assert isinstance(official, UrlSource)
        assert official.url.startswith("https://huggingface.co/Qwen/")
        assert isinstance(mirror, PackagesSource)
        assert [part.package.rpartition("part")[2] for part in mirror.parts] == [
            str(number) for number in range(1, len(mirror.parts) + 1)
        ]


def changed(path: tuple[str | int, ...], value: Any) -> str:
    """The manifest with one value changed."""
    data = json.loads(MANIFEST.read_text())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Invalid JSON"),
        ("{}", "engines: Field required"),
        (changed(("models", 0, "name"), "../x.gguf"), "models.0.name: String should match pattern"),
        (changed(("models", 0, "sha256"), "12"), "models.0.sha256: String should match pattern"),
        (changed(("models", 0, "bytes"), 0), "models.0.bytes: Input should be greater than 0"),
        (changed(("models", 0, "bytes"), 5), "do not add up to its 5 bytes"),
        (changed(("models", 0, "tier"), "huge"), "models.0.tier: Input should be 'small', 'medium' or 'large'"),
        (changed(("models", 0, "sources"), []), "models.0.sources: Tuple should have at least 1 item"),
        (changed(("models", 0, "sources", 0, "kind"), "ftp"), "does not match any of the expected tags"),
        (changed(("models", 0, "sources", 0, "url"), "file:///etc/passwd"), "String should match pattern"),
        (changed(("models", 0, "size"), 5), "models.0.size: Extra inputs are not permitted"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(InstallError, match="is no manifest of an engine") as raised:
        read_manifest(path)
    assert words in str(raised.value)


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"manifest\.json cannot be read: No such file or directory"):
        read_manifest(tmp_path / "manifest.json")
