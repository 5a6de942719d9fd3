"""The choice: which model answers, within what the constraints allow, and why."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from rightsize.catalogue import LOCAL_TIERS, Backend, Catalogue, Model, Tier
from rightsize.errors import NoModelAvailable, PersonalDataBlocked, RequestTooLong
from rightsize.personal_data import Findings
from rightsize.request import ANSWER_TOKENS, ChatRequest
from rightsize.settings import RoutingSettings
from rightsize.signals import read_signals


class Route(StrEnum):
    """What the user picked in the model menu."""

    AUTO = "auto"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    FRONTIER = "frontier"
    LOCAL = "local"


@dataclass(frozen=True)
class Decision:
    """Which model answers and why.

    `found` is the personal data in the request, and `kept_local` says that it overruled a choice that could have
    gone to the cloud; `without_tools` that no allowed model can take the tools on offer, so they are left out;
    `context_window` is what the backend is to be asked for, in tokens, or None for its own default.
    """

    model: Model
    reasons: tuple[str, ...]
    found: Findings = field(default_factory=Findings)
    kept_local: bool = False
    without_tools: bool = False
    context_window: int | None = None

    def sentence(self, instead_of: str = "") -> str:
        """The line shown above the answer, short enough for one line; `instead_of` is a model that was passed over."""
        model = self.model
        if self.found and (self.kept_local or instead_of):
            passed_over = instead_of or "the cloud"
            return (
                f"Kept local: {model.name} ({model.tier}) answers instead of {passed_over}, for {self.found.sentence}."
            )
        return f"{model.name} answers ({model.tier}, {model.location}): {'; '.join(self.reasons)}."


# Ollama serves this many tokens of context unless asked for more, and silently drops the rest.
OLLAMA_DEFAULT_CONTEXT = 4096

# Cheaper siblings of a provider's best model carry one of these words in their names.
_LESSER_SIBLING = re.compile(r"\b(mini|nano|small|lite|flash|haiku|instant|tiny|turbo|fast|air)\b", re.IGNORECASE)


def _rank(model: Model, settings: RoutingSettings) -> tuple[object, ...]:
    """Sort key within one tier, best first: a loaded model answers at once; then the larger is the better."""
    if model.tier is Tier.FRONTIER:
        return (
            model.id != settings.frontier_model.strip(),
            _LESSER_SIBLING.search(model.id) is not None,
            -model.created,
            model.id,
        )
    return (not model.resident, -(model.parameters_billion or 0.0), model.id)


def _nearest(models: list[Model], wanted: Tier, settings: RoutingSettings) -> Model:
    """The best model of the wanted tier; failing that the next tier up, then down."""
    order = list(Tier)
    place = order.index(wanted)
    for tier in [*order[place:], *reversed(order[:place])]:
        candidates = [model for model in models if model.tier is tier]
        if candidates:
            return min(candidates, key=lambda model: _rank(model, settings))
    raise NoModelAvailable("No model is available: ask an administrator to add one.")


def context_to_ask_for(model: Model, tokens: int, asked: int | None) -> int | None:
    """Enough context for a request of `tokens`, so that Ollama does not silently cut its beginning off.

    `asked` is what a preset asks for. Returns tokens, or None where the backend's own default does.
    """
    if model.backend is not Backend.OLLAMA:
        return None
    needed = tokens + ANSWER_TOKENS
    context = asked or OLLAMA_DEFAULT_CONTEXT
    while context < needed:
        context *= 2
    if model.context_window:
        context = min(context, model.context_window)
    return context if asked or context > OLLAMA_DEFAULT_CONTEXT else None


def _fit(models: list[Model], request: ChatRequest, where: str) -> list[Model]:
    """The models that can see the images and hold the whole request."""
    if request.has_images:
        # Only Ollama says what its models can do; of the others, one that is not known to be blind is tried.
        seeing = [model for model in models if model.capabilities.vision]
        models = seeing or [model for model in models if model.capabilities.vision is None]
        if not models:
            raise NoModelAvailable(
                f"No {where} that you may use can see images: ask an administrator to add one with vision, "
                "or remove the image."
            )
    needed = request.tokens + ANSWER_TOKENS
    fitting = [model for model in models if model.context_window is None or model.context_window >= needed]
    if not fitting:
        raise RequestTooLong(needed, max(model.context_window or 0 for model in models), where)
    return fitting


def can_use_tools(model: Model, request: ChatRequest) -> bool:
    """Whether a model takes the tools on offer, and holds their specifications beside the messages."""
    needed = request.tokens_with_tools + ANSWER_TOKENS
    return model.capabilities.tools is not False and (model.context_window is None or model.context_window >= needed)


def _no_local_model(findings: Findings) -> Exception:
    if findings:
        return PersonalDataBlocked(f"it holds {findings.sentence}")
    return NoModelAvailable(
        "No local model is available: start Ollama and pull a model, or pick Frontier to use the cloud."
    )


def decide(
    route: Route,
    request: ChatRequest,
    findings: Findings,
    catalogue: Catalogue,
    settings: RoutingSettings,
    asked_context: int | None = None,
) -> Decision:
    """Choose the model for a request.

    `findings` is the personal data in it; with any, only local models are considered. `asked_context` is
    the context window that a preset asks for, in tokens.

    Raises PersonalDataBlocked, NoModelAvailable or RequestTooLong.
    """
    signals = read_signals(request)
    reasons: list[str] = []
    local = [model for model in catalogue.models if model.is_local]
    # An administrator may have moved a local model up to the frontier tier.
    frontier = [model for model in catalogue.models if model.tier is Tier.FRONTIER or not model.is_local]
    if route is Route.AUTO and not settings.auto_may_use_cloud:
        frontier = [model for model in frontier if model.is_local]

    wanted = signals.tier if route in (Route.AUTO, Route.LOCAL) else Tier(route)
    for_the_frontier = bool(frontier) and wanted is Tier.FRONTIER and route in (Route.AUTO, Route.FRONTIER)
    if route in (Route.AUTO, Route.LOCAL):
        reasons.extend(signals.reasons)
    else:
        reasons.append(f"the {route} tier was picked")

    if for_the_frontier and not findings:
        candidates, where = frontier, "frontier model"
    else:
        candidates, where = local, "local model"
        if findings:
            reasons.append(f"stays local for {findings.sentence}")
        elif route is Route.FRONTIER:
            raise NoModelAvailable(
                "No cloud model is available to you: ask an administrator to add a connection, or pick Auto."
            )
        elif route is Route.LOCAL:
            reasons.append("local only")
    if not candidates:
        raise _no_local_model(findings)

    fitting = _fit(candidates, request, where)
    without_tools = False
    if request.offers_tools:
        with_tools = [model for model in fitting if can_use_tools(model, request)]
        without_tools = not with_tools
        fitting = with_tools or fitting
        if without_tools:
            some_can = any(model.capabilities.tools is not False for model in fitting)
            cause = "the tools on offer do not fit" if some_can else "no allowed model can use tools"
            reasons.append(f"{cause}, so they were left out")

    reachable = wanted if wanted in LOCAL_TIERS or candidates is frontier else Tier.LARGE
    model = _nearest(fitting, reachable, settings)
    if model.tier is not reachable:
        reasons.append(f"no {reachable} model fits")
    return Decision(
        model=model,
        reasons=tuple(reasons),
        found=findings,
        kept_local=bool(findings) and for_the_frontier and not all(model.is_local for model in frontier),
        without_tools=without_tools,
        context_window=context_to_ask_for(
            model, request.tokens if without_tools else request.tokens_with_tools, asked_context
        ),
    )
