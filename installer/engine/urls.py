"""Files from web addresses, continued where they stopped."""

import re
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from installer.engine.manifest import Artifact, UrlSource
from installer.engine.storage import Report, size_of, writing_to
from installer.errors import SourceFailed, SourceInterrupted

# A host that does not answer by then is passed over; one that has answered may pause for longer.
TIMEOUT = httpx.Timeout(30.0, connect=4.0)
CHUNK_BYTES = 256 * 1024
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 8.0


def new_http_client() -> httpx.Client:
    """A client that follows a host to where it keeps its files, through the proxy that the environment names."""
    return httpx.Client(timeout=TIMEOUT, follow_redirects=True)


class UrlDownloader:
    """Fetches files over HTTP into partial files, by ranges."""

    def __init__(self, http: httpx.Client, first_wait_seconds: float = FIRST_WAIT_SECONDS) -> None:
        self._http, self._first_wait_seconds = http, first_wait_seconds
        self._silent: set[bytes] = set()

    def fetch(self, source: UrlSource, artifact: Artifact, partial: Path, report: Report) -> None:
        """Bring `partial` to the artifact's size. Raises SourceFailed; what has come by then stays."""
        try:
            host, place = httpx.URL(source.url).host, httpx.URL(source.url).netloc
        except httpx.InvalidURL as error:
            raise SourceFailed(source.url, "is no address") from error
        if place in self._silent:
            raise SourceFailed(host, "cannot be reached")
        has_answered = False
        patience = Retrying(
            retry=retry_if_exception_type(SourceInterrupted),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(self._first_wait_seconds, max=LONGEST_WAIT_SECONDS),
            reraise=True,
        )
        for attempt in patience:
            with attempt:
                try:
                    self._continue(source, artifact, partial, report)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if has_answered:
                        raise SourceInterrupted(host, "can no longer be reached") from error
                    self._silent.add(place)
                    raise SourceFailed(host, "cannot be reached") from error
                except httpx.TransportError as error:
                    has_answered = True
                    raise SourceInterrupted(host, f"broke off ({type(error).__name__})") from error
                except httpx.HTTPError as error:
                    raise SourceFailed(host, f"cannot be asked ({type(error).__name__})") from error
                except SourceInterrupted:
                    has_answered = True
                    raise

    def _continue(self, source: UrlSource, artifact: Artifact, partial: Path, report: Report) -> None:
        """Ask once for what is missing and append it."""
        start = size_of(partial)
        if start >= artifact.bytes:
            return
        # Compressed content would have ranges of its own.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        with self._http.stream("GET", source.url, headers=headers) as response:
            start = _start_of_answer(response, start, artifact)
            with writing_to(partial.parent), partial.open("ab") as file:
                if start < size_of(partial):
                    file.truncate(start)
                for chunk in response.iter_raw(CHUNK_BYTES):
                    start += len(chunk)
                    if start > artifact.bytes:
                        file.truncate(0)
                        raise SourceFailed(response.url.host, "sends more than the file")
                    file.write(chunk)
                    report(start)
        if start < artifact.bytes:
            raise SourceInterrupted(httpx.URL(source.url).host, "broke off")


def _start_of_answer(response: httpx.Response, asked_start: int, artifact: Artifact) -> int:
    """The place in the file at which an answer begins. Raises SourceFailed if it is not an answer to use."""
    host, status = response.url.host, response.status_code
    if status == httpx.codes.OK:
        start, length = 0, response.headers.get("Content-Length", str(artifact.bytes))
        if length != str(artifact.bytes):
            raise SourceFailed(host, "has a file of another size")
        return start
    if status == httpx.codes.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != asked_start or found[2] not in (str(artifact.bytes), "*"):
            raise SourceFailed(host, "has a file of another size")
        return asked_start
    if status == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise SourceInterrupted(host, f"answers with status {status}")
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise SourceFailed(host, "has a file of another size")
    raise SourceFailed(host, f"answers with status {status}")
