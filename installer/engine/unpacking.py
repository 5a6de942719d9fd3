"""The engine's wheel, unpacked: each file is there as the wheel's own list of digests has it."""

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path

from installer.engine.storage import size_of, writing_to

PERMISSIONS = 0o777


def _recorded(archive: zipfile.ZipFile) -> dict[str, str]:
    """The SHA-256 of each file in a wheel, in hexadecimal, by its name: what the wheel's RECORD says."""
    record = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
    digests = {}
    for name, digest, _ in csv.reader(io.StringIO(archive.read(record).decode("utf-8"))):
        if digest.startswith("sha256="):
            digests[name] = base64.urlsafe_b64decode(f"{digest.removeprefix('sha256=')}==").hex()
    return digests


def _sha256(path: Path) -> str:
    if not size_of(path):
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(wheel: Path, folder: Path) -> None:
    """Put a verified wheel's files into a folder, leaving those that are there already as they should be."""
    with writing_to(folder), zipfile.ZipFile(wheel) as archive:
        for name, digest in _recorded(archive).items():
            target = folder / name
            if not target.resolve().is_relative_to(folder.resolve()) or _sha256(target) == digest:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # Put in place whole, since a program that runs from here cannot be written over.
            new = target.with_name(f"{target.name}.new")
            new.write_bytes(archive.read(name))
            new.chmod((archive.getinfo(name).external_attr >> 16) & PERMISSIONS or 0o644)
            new.replace(target)
