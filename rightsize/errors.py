"""The errors a user can meet. The text of each is one sentence that says what to do."""


class RightsizeError(Exception):
    """Base of every error Rightsize raises on purpose; `str(error)` is fit to show in the chat."""


class EmptyMessage(RightsizeError):
    """The request holds nothing to answer."""

    def __init__(self) -> None:
        super().__init__("The message is empty: type a question or attach a file, then send it again.")


class UnknownRoute(RightsizeError):
    """The manifold model asked for does not exist."""

    def __init__(self, route: str, known: list[str]) -> None:
        super().__init__(
            f"Rightsize has no model called '{route[:60]}': pick one of {', '.join(known)} in the model menu."
        )


class InvalidValve(RightsizeError):
    """A saved valve cannot be used."""

    def __init__(self, valve: str, problem: str) -> None:
        super().__init__(
            f"The Rightsize valve '{valve}' cannot be used ({problem}): ask an administrator to correct it "
            "under Admin Panel > Functions."
        )


class NoModelAvailable(RightsizeError):
    """No model satisfies the constraints of the request."""


class RequestTooLong(RightsizeError):
    """The request does not fit the context window of any allowed model."""

    def __init__(self, tokens: int, largest: int, where: str) -> None:
        super().__init__(
            f"This conversation needs about {tokens:,} tokens, more than the {largest:,} that the largest "
            f"{where} can read: shorten the message or start a new chat."
        )


class BackendFailed(RightsizeError):
    """The chosen model's backend refused or could not be reached."""

    def __init__(self, model: str, detail: str) -> None:
        # Providers can echo a request back in an error: keep the first line, and keep it short.
        first_line = detail.strip().splitlines()[0][:160].rstrip(" .") if detail.strip() else "no reason given"
        super().__init__(
            f"{model} could not answer ({first_line}): check that its server is running, or pick another model, "
            "and send the message again."
        )


class AnswerCutOff(RightsizeError):
    """The stream ended before the model said it had finished."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The answer from {model} was cut off before its end: press Regenerate, or pick another model."
        )


class PersonalDataBlocked(RightsizeError):
    """Personal data was found, or may be there, and no local model can take the request."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"This message was not sent, because {reason} and no local model that you may use can answer it: "
            "start Ollama, or ask an administrator for access to a local model."
        )


class GuardNotInPlace(RightsizeError):
    """The last check before every model call could not be set up, so nothing may be sent."""

    def __init__(self) -> None:
        super().__init__(
            "This message was not sent, because the Rightsize privacy guard does not fit this version of "
            "Open WebUI: ask an administrator to update Rightsize or switch the guard off."
        )


class DetectorUnavailable(RightsizeError):
    """A library that the personal-data check needs is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"Rightsize cannot check for personal data because the Python package '{package}' is missing: "
            "ask an administrator to install it."
        )


class UnexpectedFailure(RightsizeError):
    """Something failed that Rightsize did not foresee; only the kind of failure is named, never its text."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"Rightsize could not handle this message (internal error {type(error).__name__}): send it again, "
            "or pick a model directly and tell an administrator."
        )
