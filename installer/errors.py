"""What may keep an installation, or a start, from succeeding. Each error is a sentence that says what to do."""

from pathlib import Path

STAND_INS = "or run scripts/up --demo for stand-ins without a real model"


class InstallError(Exception):
    """The root of the tree: something was refused or is missing; the text says what to do."""


class StoppedByItself(InstallError):
    """Something that had been started, and had run, ended without being told to."""


class EngineError(InstallError):
    """The engine cannot be used; its text ends with the way out that is always left, the stand-ins."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}, {STAND_INS}.")
        self.problem = problem


class UnsuitableMachine(EngineError):
    """No engine was built for this operating system or processor."""


class NotEnoughSpace(EngineError):
    """The disk is too full for the engine and its models."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(f"{problem} in {folder}", "make room, or name a folder elsewhere with --engine")


class CannotWrite(EngineError):
    """The engine's folder cannot be written to, for another reason than its size."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(f"{folder} cannot be used ({error.strerror})", "name another folder with --engine")


class EngineBusy(EngineError):
    """Another start is fetching into the same folder."""


class NotFetched(EngineError):
    """No source gave a file."""


class PortTaken(EngineError):
    """Another program listens where the engine or a stand-in would."""


class EngineStopped(EngineError):
    """The engine's program ended, or did not answer, when it should have run."""


class SourceFailed(InstallError):
    """One source did not give a file: the text says why in a few words, and the next source is tried."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source} {reason}")


class SourceInterrupted(SourceFailed):
    """A source that does answer broke off: it is asked again for what is missing."""
