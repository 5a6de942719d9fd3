"""The models there are: what each can do, its tier, and whether it is local or in the cloud."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rightsize.engines.facts import Facts, mapping, parameters_from_name, words
from rightsize.engines.ollama import ollama_facts
from rightsize.engines.recognition import facts_of, servers_own
from rightsize.locality import Connections, Location, locate, server_model_id
from rightsize.settings import RoutingSettings, parse_tier_overrides, split_list


class Tier(StrEnum):
    """How large a model is; the first three are local, the last is in the cloud."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    FRONTIER = "frontier"


class Backend(StrEnum):
    """What serves a model inside Open WebUI."""

    OLLAMA = "ollama"
    OPENAI = "openai"
    FUNCTION = "function"


LOCAL_TIERS = (Tier.SMALL, Tier.MEDIUM, Tier.LARGE)


@dataclass(frozen=True)
class Capabilities:
    """What a model can do; None means that nothing says."""

    vision: bool | None = None
    tools: bool | None = None
    chat: bool = True


@dataclass(frozen=True)
class Model:
    """One model of the catalogue.

    `parameters_billion` is in 10^9 parameters and `context_window` in tokens; both are None where unknown.
    `resident` says that the backend has it loaded now.
    """

    id: str
    name: str
    backend: Backend
    location: Location
    tier: Tier
    parameters_billion: float | None = None
    quantization: str | None = None
    context_window: int | None = None
    capabilities: Capabilities = Capabilities()
    resident: bool = False
    created: int = 0

    @property
    def is_local(self) -> bool:
        """Whether the model runs on the user's own hardware."""
        return self.location is Location.LOCAL


@dataclass(frozen=True)
class Catalogue:
    """The models that one user may use."""

    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model | None:
        """Return the model with this id, or None."""
        return next((model for model in self.models if model.id == model_id), None)


# Families and names of models that embed, rank or transcribe and cannot chat. Where the server tells what a model is
# for, that decides; this is for where it does not (Ollama before 0.6.4, and most OpenAI-compatible servers).
_NOT_CHAT = re.compile(
    r"\b(embed\w*|bert|nomic-bert|bge|e5|gte|minilm|colbert|splade|rerank\w*|whisper|tts|dall-e|moderation|realtime|"
    r"transcribe|image|sora|audio)\b|embed",
    re.IGNORECASE,
)


def tier_for(model_id: str, location: Location, billions: float | None, settings: RoutingSettings) -> Tier:
    """Sort a model into a tier: the administrator's override, else cloud is frontier, else by size.

    A local model of unknown size is medium: neither trusted with the hardest nor kept for the easiest.
    """
    override = parse_tier_overrides(settings.tier_overrides).get(model_id)
    if override is not None:
        return Tier(override)
    if location is Location.CLOUD:
        return Tier.FRONTIER
    if billions is None:
        return Tier.MEDIUM
    if billions <= settings.small_up_to_billion:
        return Tier.SMALL
    return Tier.MEDIUM if billions <= settings.medium_up_to_billion else Tier.LARGE


def backend_of(entry: Mapping[str, Any]) -> Backend:
    """Which backend serves an entry of Open WebUI's model list."""
    if entry.get("pipe"):
        return Backend.FUNCTION
    return Backend.OLLAMA if entry.get("owned_by") == "ollama" else Backend.OPENAI


def is_base_model(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a model itself, not a preset or an arena made of others."""
    return not entry.get("preset") and not entry.get("arena") and entry.get("owned_by") != "arena"


def _capabilities(entry: Mapping[str, Any], facts: Facts) -> Capabilities:
    vision, chat = facts.vision, facts.chat
    if vision is None:
        # Open WebUI's own switch says what an administrator allows, so it can only be trusted to take vision away.
        allowed = mapping(mapping(mapping(entry.get("info")).get("meta")).get("capabilities"))
        vision = False if allowed.get("vision") is False else None
    if chat is None:
        families = words(mapping(mapping(entry.get("ollama")).get("details")).get("families"))
        chat = _NOT_CHAT.search(" ".join([str(entry.get("id", "")), *families])) is None
    return Capabilities(vision=vision, tools=facts.tools, chat=chat)


def build_model(
    entry: Mapping[str, Any],
    show: Mapping[str, Any],
    connections: Connections,
    settings: RoutingSettings,
    told: Facts | None = None,
) -> Model:
    """Turn one entry of Open WebUI's model list into a Model.

    `show` is Ollama's /api/show for it, empty where the backend is not Ollama or did not answer; `told` is what the
    model's server told when it was asked, which goes before what Open WebUI's list remembers of it.
    """
    model_id = str(entry.get("id", ""))
    backend = backend_of(entry)
    listed = ollama_facts(entry, show) if backend is Backend.OLLAMA else facts_of(servers_own(entry))
    facts = told.or_else(listed) if told else listed
    location = locate(entry, connections, settings)
    billions = facts.parameters_billion
    if billions is None:
        billions = parameters_from_name(server_model_id(entry, connections))
    created = entry.get("created")
    return Model(
        id=model_id,
        name=str(entry.get("name") or model_id),
        backend=backend,
        location=location,
        tier=tier_for(model_id, location, billions, settings),
        parameters_billion=billions,
        quantization=facts.quantization,
        context_window=facts.context_window,
        capabilities=_capabilities(entry, facts),
        resident=bool(entry.get("loaded")) if facts.resident is None else facts.resident,
        created=created if isinstance(created, int) else 0,
    )


def build_catalogue(
    entries: list[Mapping[str, Any]],
    shows: Mapping[str, Mapping[str, Any]],
    connections: Connections,
    settings: RoutingSettings,
    told: Mapping[str, Facts] | None = None,
) -> Catalogue:
    """Build the catalogue from Open WebUI's model list.

    `entries` are the models that the user may use; `shows` maps a model id to Ollama's /api/show, and `told` to what
    another local engine told of the model.
    Left out: presets and arenas (they stand for others), models that cannot chat, models that the
    administrator excluded, and functions unless one is named as the frontier model, since where a
    function sends a message cannot be known.
    """
    excluded = set(split_list(settings.excluded_models))
    models = []
    for entry in entries:
        model_id = str(entry.get("id", ""))
        if not model_id or model_id in excluded or not is_base_model(entry):
            continue
        if backend_of(entry) is Backend.FUNCTION and model_id != settings.frontier_model.strip():
            continue
        model = build_model(entry, shows.get(model_id, {}), connections, settings, (told or {}).get(model_id))
        if model.capabilities.chat:
            models.append(model)
    return Catalogue(tuple(models))
