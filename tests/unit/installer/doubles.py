"""What an installation talks to, in small: a web server of one file, a package index, and who watches."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from installer.engine.manifest import Artifact, PackagesSource, Part, Source, UrlSource
from installer.engine.storage import Report
from installer.errors import SourceFailed
from installer.processes import HOST

CONTENT = bytes(range(256)) * 4096


@dataclass
class Answer:
    """How the web server answers one request: a status, how many bytes until it cuts the connection, and what."""

    status: int = 0
    cut_after: int | None = None
    content: bytes = CONTENT
    knows_ranges: bool = True


@dataclass
class FileServer:
    """Serves one file, as the next of `answers` says, and wholly when none is left."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)

    @property
    def source(self) -> UrlSource:
        return UrlSource(kind="url", url=f"http://{HOST}:{self.port}/file")


class QuietServer(ThreadingHTTPServer):
    """A client that has heard enough and hangs up is what these tests are about, and no error to be printed."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def file_server() -> Iterator[FileServer]:
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            served.ranges.append(wanted)
            answer = served.answers.pop(0) if served.answers else Answer()
            if answer.status:
                self.send_error(answer.status)
                return
            body, total = answer.content, len(answer.content)
            if wanted and answer.knows_ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                body = body[start:]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: answer.cut_after])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with QuietServer((HOST, 0), Handler) as server:
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def wheel_of(member: str, data: bytes) -> bytes:
    """A wheel that holds one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
    return stream.getvalue()


@dataclass
class FakeIndex:
    """Packages by requirement; `fails` holds how often each requirement is still to fail."""

    wheels: dict[str, bytes] = field(default_factory=dict)
    fails: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    platforms: list[str | None] = field(default_factory=list)

    def download(self, requirement: str, folder: Path, platform: str | None, report: Report) -> Path:
        self.asked.append(requirement)
        self.platforms.append(platform)
        if requirement not in self.wheels or self.fails.get(requirement, 0) > 0:
            self.fails[requirement] = self.fails.get(requirement, 1) - 1
            raise SourceFailed("The fake index", "fails")
        path = folder / "package.whl"
        path.write_bytes(self.wheels[requirement])
        report(path.stat().st_size)
        return path


def packages(content: bytes, pieces: int) -> tuple[PackagesSource, FakeIndex]:
    """A file in pieces, and the index that has them."""
    size = -(-len(content) // pieces)
    parts, index = [], FakeIndex()
    for number in range(pieces):
        data = content[number * size : (number + 1) * size]
        member = f"part{number}/data.bin"
        digest = hashlib.sha256(data).hexdigest()
        parts.append(Part(package=f"part{number}", file=member, bytes=len(data), sha256=digest))
        index.wheels[f"part{number}==1.0"] = wheel_of(member, data)
    return PackagesSource(kind="packages", version="1.0", parts=tuple(parts)), index


def artifact(*sources: Source, content: bytes = CONTENT) -> Artifact:
    """The file that `content` is."""
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(name="file.bin", title="File", bytes=len(content), sha256=digest, licence="MIT", sources=sources)


@dataclass
class Listener:
    """A watcher that remembers."""

    sentences: list[str] = field(default_factory=list)
    reports: dict[str, list[int]] = field(default_factory=dict)

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    @contextmanager
    def task(self, what: str, total_bytes: int) -> Iterator[Report]:
        yield self.reports.setdefault(what, []).append
