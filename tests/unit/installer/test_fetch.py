"""Files are used only if they are the published ones, and fetched from the first source that has them."""

import errno
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.engine.fetch import Fetcher
from installer.engine.manifest import PackagesSource, UrlSource
from installer.engine.packages import PackageDownloader
from installer.engine.storage import expect_room, writing_to
from installer.engine.urls import UrlDownloader, new_http_client
from installer.errors import CannotWrite, NotEnoughSpace, NotFetched
from installer.processes import HOST
from tests.servers import free_port
from tests.unit.installer.doubles import (
    CONTENT,
    Answer,
    FakeIndex,
    FileServer,
    Listener,
    artifact,
    file_server,
    packages,
)

NOWHERE = UrlSource(kind="url", url=f"http://{HOST}:{free_port()}/file")
OTHER = CONTENT[::-1]


class Place:
    """A folder to fetch into, the sources, and who watches."""

    def __init__(self, folder: Path, server: FileServer) -> None:
        self.server, self.listener = server, Listener()
        self.parts, self.index = packages(CONTENT, 3)
        self.target = folder / "models" / "file.bin"
        self._partials = folder / "fetching"
        self._urls = UrlDownloader(new_http_client(), first_wait_seconds=0.001)

    def fetcher(self) -> Fetcher:
        return Fetcher(self._partials, self._urls, PackageDownloader(self.index), self.listener)

    @property
    def partial(self) -> Path:
        return self._partials / "file.bin.partial"

    def ensure(self, *sources: UrlSource | PackagesSource) -> None:
        self.fetcher().ensure(artifact(*sources), self.target)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with file_server() as server:
        yield Place(tmp_path, server)


def test_the_official_source_is_asked_first_and_the_other_not_at_all(place: Place) -> None:
    place.ensure(place.server.source, place.parts)
    assert place.target.read_bytes() == CONTENT
    assert place.index.asked == []
    assert not place.partial.exists()
    assert list(place.listener.reports) == ["Fetching File", "Checking File"]


def test_where_the_official_source_is_not_reached_the_other_gives_the_same_bytes(place: Place) -> None:
    place.ensure(NOWHERE, place.parts)
    assert place.target.read_bytes() == CONTENT
    assert place.listener.sentences == [
        "127.0.0.1 cannot be reached: taking File from elsewhere.",
        "File is here and verified (1 MB, MIT).",
    ]


def test_what_one_source_began_the_other_finishes(place: Place) -> None:
    place.server.answers = [Answer(cut_after=800_000), *[Answer(status=503)] * 4]
    place.ensure(place.server.source, place.parts)
    assert place.target.read_bytes() == CONTENT
    assert place.index.asked == ["part2==1.0"]


def test_a_file_that_is_there_is_verified_and_nothing_fetched(place: Place) -> None:
    place.ensure(place.server.source)
    place.ensure(place.server.source)
    assert len(place.server.ranges) == 1


@pytest.mark.parametrize("wrong", [OTHER, CONTENT[:-1], CONTENT[:500] + b"\x00" + CONTENT[501:], b""])
def test_a_file_with_a_changed_byte_is_refused_and_fetched_anew(place: Place, wrong: bytes) -> None:
    place.target.parent.mkdir()
    place.target.write_bytes(wrong)
    place.ensure(place.server.source)
    assert place.target.read_bytes() == CONTENT
    assert place.listener.sentences == [
        f"{place.target} is not the file that was published (another SHA-256): fetching it anew.",
        "File is here and verified (1 MB, MIT).",
    ]


def test_a_source_with_other_bytes_is_passed_over(place: Place) -> None:
    place.server.answers = [Answer(content=OTHER)]
    place.ensure(place.server.source, place.parts)
    assert place.target.read_bytes() == CONTENT
    assert "127.0.0.1 sends another file than was published: taking File" in place.listener.sentences[0]


def test_what_had_come_before_and_was_wrong_is_fetched_from_the_start(place: Place) -> None:
    place.partial.parent.mkdir()
    place.partial.write_bytes(OTHER[:9000])
    place.ensure(place.server.source)
    assert place.target.read_bytes() == CONTENT
    assert place.server.ranges == ["bytes=9000-", None]


def test_no_source_is_one_sentence_with_a_way_out(place: Place) -> None:
    place.index = FakeIndex()
    place.server.answers = [Answer(content=OTHER)]
    with pytest.raises(NotFetched) as raised:
        place.ensure(NOWHERE, place.server.source, place.parts)
    assert str(raised.value) == (
        "File could not be fetched (127.0.0.1 cannot be reached; 127.0.0.1 sends another file than was published; "
        "The fake index fails): check the network and run this again, which goes on where it stopped, "
        "or run scripts/up --demo for stand-ins without a real model."
    )
    assert not place.target.exists()


def test_what_is_missing_is_known_by_sizes(place: Place) -> None:
    wanted = artifact(place.server.source)
    assert place.fetcher().missing_bytes(wanted, place.target) == len(CONTENT)
    place.partial.parent.mkdir()
    place.partial.write_bytes(CONTENT[:1000])
    assert place.fetcher().missing_bytes(wanted, place.target) == len(CONTENT) - 1000
    place.ensure(place.server.source)
    assert place.fetcher().missing_bytes(wanted, place.target) == 0


def test_too_full_a_disk_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 10**8))
    expect_room(tmp_path / "not" / "there", 10**8)
    with pytest.raises(NotEnoughSpace) as raised:
        expect_room(tmp_path / "not" / "there", 21 * 10**8)
    assert str(raised.value) == (
        f"2.1 GB are needed and 0.1 GB are free in {tmp_path}/not/there: make room, or name a folder elsewhere with "
        "--engine, or run scripts/up --demo for stand-ins without a real model."
    )


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.ENOSPC, NotEnoughSpace, "There is no room left in"),
        (errno.EDQUOT, NotEnoughSpace, "There is no room left in"),
        (errno.EACCES, CannotWrite, r"cannot be used \(Permission denied\): name another folder with --engine"),
    ],
)
def test_what_the_disk_says_while_writing(tmp_path: Path, number: int, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words), writing_to(tmp_path):
        raise OSError(number, "Permission denied")


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "fetching").write_text("")
    with file_server() as server, pytest.raises(CannotWrite, match="cannot be used"):
        Place(tmp_path, server).ensure(server.source)


def test_a_full_disk_while_writing_keeps_what_has_come(tmp_path: Path) -> None:
    with file_server() as server:
        place = Place(tmp_path, server)
        place.partial.parent.mkdir()
        # /dev/full takes nothing, as a full disk does.
        place.partial.symlink_to("/dev/full")
        with pytest.raises(NotEnoughSpace, match="There is no room left"):
            place.ensure(server.source)
