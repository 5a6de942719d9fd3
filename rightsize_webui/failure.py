"""Turn what was not foreseen into one sentence, keeping its text (it may quote the message) out of the log."""

import logging
import traceback

from rightsize.errors import RightsizeError, UnexpectedFailure

logger = logging.getLogger("rightsize")


def as_rightsize_error(error: Exception) -> RightsizeError:
    """Return the error itself if it is fit to show, else an UnexpectedFailure whose place is logged."""
    if isinstance(error, RightsizeError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    logger.error("%s at %s", type(error).__name__, place)
    return UnexpectedFailure(error)
