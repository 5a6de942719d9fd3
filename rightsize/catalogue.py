"""The models there are: what each can do, its tier, and whether it is local or in the cloud."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rightsize.locality import Connections, Location, locate
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


# Families and names of models that embed or transcribe and cannot chat; Ollama's `capabilities` decides
# where it is given, this only where it is not (Ollama before 0.6.4, and OpenAI-compatible servers).
_NOT_CHAT = re.compile(
    r"\b(embed\w*|bert|nomic-bert|rerank\w*|whisper|tts|dall-e|moderation|realtime|transcribe|image|sora|audio)\b|embed",
    re.IGNORECASE,
)


def parse_parameter_size(text: str) -> float | None:
    """Read Ollama's `parameter_size` ("3.2B", "137M", "8x7B") as billions of parameters; None if it is not one."""
    match = re.fullmatch(r"\s*(?:(\d+)\s*x\s*)?(\d+(?:\.\d+)?)\s*([KMBT])\s*", text, re.IGNORECASE)
    if not match:
        return None
    scale = {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}[match[3].upper()]
    return int(match[1] or 1) * float(match[2]) * scale


def parameters_from_name(name: str) -> float | None:
    """Read a size such as `-32b` or `:3b` out of a model's name, as billions of parameters."""
    sizes = [
        size
        for match in re.finditer(r"(?:^|[-:_/ ])((?:\d+x)?\d+(?:\.\d+)?[bm])(?=$|[-:_/ .])", name, re.IGNORECASE)
        if (size := parse_parameter_size(match[1])) is not None
    ]
    return max(sizes, default=None)


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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _context_window(show: Mapping[str, Any]) -> int | None:
    """`model_info["<architecture>.context_length"]` of Ollama's /api/show, in tokens."""
    for key, value in _mapping(show.get("model_info")).items():
        if key.endswith(".context_length") and isinstance(value, int) and value > 0:
            return value
    return None


def _capabilities(entry: Mapping[str, Any], show: Mapping[str, Any], searched_text: str) -> Capabilities:
    overrides = _mapping(_mapping(_mapping(entry.get("info")).get("meta")).get("capabilities"))
    shown = show.get("capabilities")
    if isinstance(shown, list):
        return Capabilities(vision="vision" in shown, tools="tools" in shown, chat="completion" in shown)
    # Open WebUI's own switch says what an administrator allows, so it can only be trusted to take vision away.
    vision = False if overrides.get("vision") is False else None
    return Capabilities(vision=vision, tools=None, chat=_NOT_CHAT.search(searched_text) is None)


def backend_of(entry: Mapping[str, Any]) -> Backend:
    """Which backend serves an entry of Open WebUI's model list."""
    if entry.get("pipe"):
        return Backend.FUNCTION
    return Backend.OLLAMA if entry.get("owned_by") == "ollama" else Backend.OPENAI


def is_base_model(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a model itself, not a preset or an arena made of others."""
    return not entry.get("preset") and not entry.get("arena") and entry.get("owned_by") != "arena"


def build_model(
    entry: Mapping[str, Any], show: Mapping[str, Any], connections: Connections, settings: RoutingSettings
) -> Model:
    """Turn one entry of Open WebUI's model list, and Ollama's /api/show for it, into a Model.

    `show` is empty where the backend is not Ollama or did not answer.
    """
    model_id = str(entry.get("id", ""))
    name = str(entry.get("name") or model_id)
    tags = _mapping(entry.get("ollama"))
    details = _mapping(tags.get("details"))
    location = locate(entry, connections, settings)
    billions = parse_parameter_size(str(details.get("parameter_size", "")))
    if billions is None:
        billions = parameters_from_name(model_id)
    families = details.get("families")
    searched = " ".join([model_id, *(families if isinstance(families, list) else [])])
    created = entry.get("created")
    return Model(
        id=model_id,
        name=name,
        backend=backend_of(entry),
        location=location,
        tier=tier_for(model_id, location, billions, settings),
        parameters_billion=billions,
        quantization=details.get("quantization_level") or None,
        context_window=_context_window(show),
        capabilities=_capabilities(entry, show, searched),
        resident=bool(entry.get("loaded")),
        created=created if isinstance(created, int) else 0,
    )


def build_catalogue(
    entries: list[Mapping[str, Any]],
    shows: Mapping[str, Mapping[str, Any]],
    connections: Connections,
    settings: RoutingSettings,
) -> Catalogue:
    """Build the catalogue from Open WebUI's model list.

    `entries` are the models that the user may use; `shows` maps a model id to Ollama's /api/show.
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
        model = build_model(entry, shows.get(model_id, {}), connections, settings)
        if model.capabilities.chat:
            models.append(model)
    return Catalogue(tuple(models))
