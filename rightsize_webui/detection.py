"""The personal-data check as the functions run it: its libraries seen to first, then in a thread of its own."""

import asyncio
import importlib
import importlib.util
import logging
import time

from rightsize.personal_data import Findings, PersonalDataDetector
from rightsize.request import ChatRequest
from rightsize.settings import PrivacySettings
from rightsize_webui.host import OpenWebUI

logger = logging.getLogger("rightsize")

# The check's libraries: the module of each, and what PyPI calls it.
PACKAGES = {"phonenumbers": "phonenumbers", "stdnum": "python-stdnum"}
# Seconds until a failed installation is tried again.
RETRY_AFTER = 600.0


def missing_packages() -> list[str]:
    """The packages whose modules cannot be found."""
    return [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]


class Detection:
    """Scans requests, installing the libraries through Open WebUI where they are missing.

    They are not in the functions' `requirements`: a function whose requirements cannot be installed (a new container
    without a way to PyPI) is switched off by Open WebUI without a word, and a guard must not be.
    """

    def __init__(self, host: OpenWebUI) -> None:
        self._host = host
        self._detector = PersonalDataDetector()
        self._try_again_at = 0.0

    async def scan(self, request: ChatRequest, settings: PrivacySettings) -> Findings:
        """The kinds of personal data in a request; without its libraries everything counts as unchecked."""
        missing = missing_packages()
        if missing and time.monotonic() >= self._try_again_at:
            self._try_again_at = time.monotonic() + RETRY_AFTER
            await self._install(missing)
        return await asyncio.to_thread(self._detector.scan, request, settings)

    async def _install(self, packages: list[str]) -> None:
        try:
            await self._host.install_packages(packages)
        except Exception as error:
            logger.error("%s could not be installed: %s", ", ".join(packages), type(error).__name__)
        importlib.invalidate_caches()
