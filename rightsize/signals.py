"""How hard a request is, read from its words. Every point given carries the reason shown to the user."""

from dataclasses import dataclass

from rightsize.catalogue import Tier
from rightsize.request import ChatRequest
from rightsize.traits import (
    CODE,
    CODE_FORM,
    CODE_TASK,
    CONDITION,
    LISTED_PART,
    LONG_WRITING,
    MATHS,
    MATHS_FORM,
    REASONING,
    is_word_problem,
)

# Points from which each tier is wanted. They follow from the weights below: one hard trait is medium,
# two or three together are large, and nearly all at once are for the frontier.
_MEDIUM_FROM, _LARGE_FROM, _FRONTIER_FROM = 2, 5, 11


@dataclass(frozen=True)
class Signals:
    """How hard a request is: `points` from 0 up, the tier they ask for, and the reasons."""

    points: int
    tier: Tier
    reasons: tuple[str, ...]


# Characters at either end of a message in which its words are looked for: what lies between is most often pasted.
_LOOKED_AT = 10_000


def _score(text: str) -> tuple[int, list[str]]:
    points = 0
    reasons: list[str] = []

    def add(worth: int, reason: str) -> None:
        nonlocal points
        points += worth
        reasons.append(reason)

    words = len(text.split())
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"
    if CODE.search(text) or CODE_FORM.search(text) or CODE_TASK.search(text):
        add(2, "code")
    if MATHS.search(text) or MATHS_FORM.search(text) or is_word_problem(text):
        add(3, "mathematics")
    asked_for = {match[0].lower() for match in REASONING.finditer(text)}
    if asked_for:
        add(min(1 + len(asked_for), 4), "analysis")
    if len(LISTED_PART.findall(text)) >= 3:
        add(2, "several parts")
    constraints = len(CONDITION.findall(text))
    if constraints >= 2:
        add(1 if constraints < 4 else 2, "several conditions")
    if text.count("?") >= 3:
        add(1, "several questions")
    if LONG_WRITING.search(text):
        add(2, "long-form writing")
    if words > 250:
        add(2, "a long message")
    elif words > 60:
        add(1, "a detailed message")
    return points, reasons


def read_signals(request: ChatRequest) -> Signals:
    """Score the last question; a short follow-up ("and why?") inherits from the question before it, less one."""
    questions = request.questions
    points, reasons = _score(questions[-1]) if questions else (0, [])
    if len(questions) > 1 and len(questions[-1].split()) < 12:
        earlier_points, _ = _score(questions[-2])
        if earlier_points - 1 > points:
            points, reasons = earlier_points - 1, ["a follow-up to a harder question"]
    # Long documents need a model that keeps track of them, whatever the question is.
    if request.tokens > 16_000:
        points, reasons = points + 3, [*reasons, "a very long context"]
    elif request.tokens > 4_000:
        points, reasons = points + 1, [*reasons, "a long context"]
    if points >= _FRONTIER_FROM:
        tier = Tier.FRONTIER
    elif points >= _LARGE_FROM:
        tier = Tier.LARGE
    else:
        tier = Tier.MEDIUM if points >= _MEDIUM_FROM else Tier.SMALL
    return Signals(points, tier, tuple(reasons) or ("a short, simple question",))
