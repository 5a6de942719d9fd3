"""Files on the way to being whole: digests, room on the disk, and what a full disk is called."""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from installer.errors import CannotWrite, NotEnoughSpace

# Takes how many bytes of a file are there by now.
Report = Callable[[int], None]

BLOCK_BYTES = 1 << 20
GIGABYTE = 10**9


def no_report(_: int) -> None:
    """Tell nobody."""


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn what the operating system says of writing to a folder into NotEnoughSpace or CannotWrite."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NotEnoughSpace(folder, "There is no room left") from error
        raise CannotWrite(folder, error) from error


def size_of(path: Path) -> int:
    """A file's size in bytes; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def digest_of(stream: BinaryIO, length: int, report: Report = no_report) -> str:
    """The SHA-256, in hexadecimal, of the next `length` bytes of a stream, or of what there is of them."""
    digest, left = hashlib.sha256(), length
    while left and (block := stream.read(min(left, BLOCK_BYTES))):
        digest.update(block)
        left -= len(block)
        report(length - left)
    return digest.hexdigest()


def is_whole(path: Path, length: int, sha256: str, report: Report = no_report) -> bool:
    """Whether a file is there with exactly these bytes."""
    if size_of(path) != length:
        return False
    with path.open("rb") as file:
        return digest_of(file, length, report) == sha256


def truncate(path: Path, length: int) -> None:
    """Cut a file off behind its first `length` bytes."""
    with path.open("r+b") as file:
        file.truncate(length)


def expect_room(folder: Path, needed: int) -> None:
    """Raise NotEnoughSpace unless so many bytes are free where a folder is, or will be."""
    existing = next(place for place in [folder, *folder.parents] if place.exists())
    with writing_to(folder):
        free = shutil.disk_usage(existing).free
    if free < needed:
        problem = f"{needed / GIGABYTE:.1f} GB are needed and {free / GIGABYTE:.1f} GB are free"
        raise NotEnoughSpace(folder, problem)
