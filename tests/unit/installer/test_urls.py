"""Files over HTTP against a server that cuts connections, has other bytes, or does not answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.engine.manifest import UrlSource
from installer.engine.storage import no_report
from installer.engine.urls import ATTEMPTS, UrlDownloader, new_http_client
from installer.errors import SourceFailed
from installer.processes import HOST
from tests.servers import free_port
from tests.unit.installer.doubles import CONTENT, Answer, FileServer, artifact, file_server


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as served:
        yield served


@pytest.fixture
def downloader() -> Iterator[UrlDownloader]:
    with new_http_client() as http:
        yield UrlDownloader(http, first_wait_seconds=0.001)


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / "file.bin.partial"


def test_a_file_is_fetched_and_its_progress_told(server: FileServer, downloader: UrlDownloader, partial: Path) -> None:
    seen: list[int] = []
    downloader.fetch(server.source, artifact(server.source), partial, seen.append)
    assert partial.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_it_goes_on_where_it_stopped(server: FileServer, downloader: UrlDownloader, partial: Path) -> None:
    partial.write_bytes(CONTENT[:1000])
    downloader.fetch(server.source, artifact(server.source), partial, no_report)
    assert server.ranges == ["bytes=1000-"]
    assert partial.read_bytes() == CONTENT


def test_a_connection_that_is_cut_is_made_again(server: FileServer, downloader: UrlDownloader, partial: Path) -> None:
    server.answers = [Answer(cut_after=700_000), Answer(status=503), Answer(cut_after=0), Answer(status=429)]
    downloader.fetch(server.source, artifact(server.source), partial, no_report)
    assert partial.read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert len(server.ranges) == 5
    assert all(asked and asked.startswith("bytes=") for asked in server.ranges[1:])


def test_a_server_without_ranges_sends_all_of_it_again(
    server: FileServer, downloader: UrlDownloader, partial: Path
) -> None:
    partial.write_bytes(b"x" * 1000)
    server.answers = [Answer(knows_ranges=False)]
    downloader.fetch(server.source, artifact(server.source), partial, no_report)
    assert partial.read_bytes() == CONTENT


def test_what_is_there_already_is_not_asked_for(server: FileServer, downloader: UrlDownloader, partial: Path) -> None:
    partial.write_bytes(CONTENT)
    downloader.fetch(server.source, artifact(server.source), partial, no_report)
    assert server.ranges == []


@pytest.mark.parametrize(
    ("answers", "words", "requests"),
    [
        ([Answer(status=404)], "answers with status 404", 1),
        ([Answer(status=403)], "answers with status 403", 1),
        ([Answer(status=416)], "has a file of another size", 1),
        ([Answer(status=503)] * ATTEMPTS, "answers with status 503", ATTEMPTS),
        ([Answer(cut_after=10)] * ATTEMPTS, "broke off", ATTEMPTS),
        ([Answer(content=CONTENT + b"x")], "has a file of another size", 1),
        ([Answer(content=b"<html>Log in to this network")], "has a file of another size", 1),
    ],
)
def test_a_server_that_does_not_give_the_file(
    server: FileServer,
    downloader: UrlDownloader,
    partial: Path,
    answers: list[Answer],
    words: str,
    requests: int,
) -> None:
    server.answers = list(answers)
    with pytest.raises(SourceFailed, match=words):
        downloader.fetch(server.source, artifact(server.source), partial, no_report)
    assert len(server.ranges) == requests


def test_a_range_of_another_file_is_refused(server: FileServer, downloader: UrlDownloader, partial: Path) -> None:
    partial.write_bytes(CONTENT[:1000])
    server.answers = [Answer(content=CONTENT[:-1])]
    with pytest.raises(SourceFailed, match="has a file of another size"):
        downloader.fetch(server.source, artifact(server.source), partial, no_report)
    assert partial.read_bytes() == CONTENT[:1000]


def test_a_host_that_is_not_there_is_asked_once(downloader: UrlDownloader, partial: Path) -> None:
    source = UrlSource(kind="url", url=f"http://{HOST}:{free_port()}/file")
    for _ in range(2):
        with pytest.raises(SourceFailed, match=r"127\.0\.0\.1 cannot be reached"):
            downloader.fetch(source, artifact(source), partial, no_report)


def test_an_address_that_is_none_is_said(downloader: UrlDownloader, partial: Path) -> None:
    source = UrlSource(kind="url", url="http://[oops]/file")
    with pytest.raises(SourceFailed, match="is no address"):
        downloader.fetch(source, artifact(source), partial, no_report)
