"""Turn what was not foreseen into one sentence, keeping its text (it may quote the message) out of the log."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from rightsize.errors import BackendFailed, RightsizeError, UnexpectedFailure

logger = logging.getLogger("rightsize")


def as_rightsize_error(error: Exception) -> RightsizeError:
    """Return the error itself if it is fit to show, else an UnexpectedFailure whose place is logged."""
    if isinstance(error, RightsizeError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    logger.error("%s at %s", type(error).__name__, place)
    return UnexpectedFailure(error)


def detail_of(error: Any) -> str:
    """The words in which a backend says what went wrong, out of the many shapes that errors come in."""
    if isinstance(error, Mapping):
        for key in ("error", "detail", "message"):
            if error.get(key):
                return detail_of(error[key])
        return ""
    return str(error)


def as_backend_failure(model: str, error: Exception) -> RightsizeError:
    """Return the error itself if it is fit to show, else what Open WebUI raised for a model's backend as ours."""
    if isinstance(error, RightsizeError):
        return error
    return BackendFailed(model, detail_of(getattr(error, "detail", None) or str(error)))
