"""How hard a request is, read from its words. Every point given carries the reason shown to the user."""

import re
from dataclasses import dataclass

from rightsize.catalogue import Tier
from rightsize.request import ChatRequest

_CODE = re.compile(
    r"```|\b(?:def|class|import|return|async|await|SELECT|INSERT|public\s+static|#include|console\.log|fn\s+\w+\()\b|"
    r"\b(?:refactor|debug|traceback|stack\s+trace|segfault|unit\s+tests?|regex|algorithm|compile[rs]?|sql\s+query|docker|"
    r"kubernetes|concurren\w+|race\s+condition|function\s+that|script\s+that|implement)\b",
    re.IGNORECASE,
)
_MATHS = re.compile(
    r"\b(?:prove|proof|theorem|lemma|integral|derivative|differential\s+equation|eigen\w+|matrix|converge\w*|induction|"
    r"probability|bayes\w*|optimi[sz]ation|asymptotic|irrational|polynomial|combinatori\w+)\b|\\frac|\\int|\\sum|[∑∫√≤≥∀∃]",
    re.IGNORECASE,
)
_REASONING = re.compile(
    r"\b(analy[sz]e|compare|contrast|evaluate|assess|critique|design|architect\w*|trade-?offs?|strateg\w+|justify|"
    r"step[\s-]by[\s-]step|reason\w*\s+through|derive|plan|diagnose|pros\s+and\s+cons|root\s+cause|in\s+depth|in\s+detail|"
    r"comprehensive\w*|rigorous\w*|thorough\w*|research|synthesi[sz]e|argue)\b",
    re.IGNORECASE,
)
_STEP = re.compile(r"^[ \t]*(?:\d+[.)]|[-*•])[ \t]+\S", re.MULTILINE)
_CONSTRAINT = re.compile(
    r"\b(?:must(?:\s+not)?|should|at\s+least|at\s+most|exactly|without|ensure|only\s+if)\b", re.IGNORECASE
)
_WRITING = re.compile(
    r"\b(?:write|draft|compose|rewrite|summari[sz]e)\b.{0,40}\b(?:essay|article|report|story|proposal|speech|chapter|blog|"
    r"paper|documentation|letter)\b",
    re.IGNORECASE | re.DOTALL,
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


def _score(text: str) -> tuple[int, list[str]]:
    points = 0
    reasons: list[str] = []

    def add(worth: int, reason: str) -> None:
        nonlocal points
        points += worth
        reasons.append(reason)

    words = len(text.split())
    if _CODE.search(text):
        add(2, "code")
    if _MATHS.search(text):
        add(3, "mathematics")
    verbs = {match[1].lower() for match in _REASONING.finditer(text)}
    if verbs:
        add(min(1 + len(verbs), 4), "analysis")
    if len(_STEP.findall(text)) >= 3:
        add(2, "several parts")
    constraints = len(_CONSTRAINT.findall(text))
    if constraints >= 2:
        add(1 if constraints < 4 else 2, "several conditions")
    if text.count("?") >= 3:
        add(1, "several questions")
    if _WRITING.search(text):
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
