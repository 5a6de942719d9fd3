"""The personal-data check without its libraries: they are installed, and meanwhile everything counts."""

import pytest

from rightsize import personal_data
from rightsize.personal_data import Kind
from rightsize.settings import PrivacySettings
from rightsize_webui import detection
from rightsize_webui.detection import Detection
from tests.unit.core.build import chat
from tests.unit.webui.host import FakeHost, run


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(detection, "missing_packages", lambda: ["phonenumbers", "python-stdnum"])
    monkeypatch.setattr(personal_data, "import_module", missing)
    return FakeHost()


def scan(scanner: Detection, times: int = 1) -> tuple[Kind, ...]:
    async def repeatedly() -> tuple[Kind, ...]:
        return [await scanner.scan(chat("hello"), PrivacySettings()) for _ in range(times)][-1].kinds

    kinds: tuple[Kind, ...] = run(repeatedly())
    return kinds


def test_missing_libraries_are_installed_and_failing_that_nothing_counts_as_checked(host: FakeHost) -> None:
    host.error = OSError("no network")
    scanner = Detection(host)
    assert scan(scanner, times=3) == (Kind.NOT_CHECKED,)
    assert host.installed == ["phonenumbers", "python-stdnum"]


def test_a_failed_installation_is_tried_again_later(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "RETRY_AFTER", 0.0)
    scan(Detection(host), times=2)
    assert host.installed == ["phonenumbers", "python-stdnum"] * 2


def test_nothing_is_installed_where_nothing_is_missing() -> None:
    host = FakeHost()
    assert scan(Detection(host)) == ()
    assert host.installed == []
