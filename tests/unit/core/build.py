"""Requests, models and catalogues for the tests, in the form in which Open WebUI and Ollama give them."""

from typing import Any

from rightsize.catalogue import Backend, Capabilities, Catalogue, Model, Tier
from rightsize.locality import Connection, Connections, Location
from rightsize.request import ChatRequest, read_request

CONNECTIONS = Connections(
    ollama=(Connection("http://127.0.0.1:11434"),), openai=(Connection("https://api.openai.com/v1"),)
)


def chat(*texts: str, **more: Any) -> ChatRequest:
    """A request of user messages, one for each text."""
    return read_request({"messages": [{"role": "user", "content": text} for text in texts], **more})


def ollama_entry(name: str, **tag: Any) -> dict[str, Any]:
    """A model of Ollama as Open WebUI lists it; `tag` goes into its /api/tags entry."""
    details = {"family": "llama", "families": ["llama"], "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
    ollama = {"name": name, "model": name, "digest": "d1", "details": details, "urls": [0], **tag}
    return {"id": name, "name": name, "owned_by": "ollama", "ollama": ollama, "created": 1}


def openai_entry(name: str, **more: Any) -> dict[str, Any]:
    """A model of an OpenAI-compatible connection as Open WebUI lists it."""
    return {"id": name, "name": name, "owned_by": "openai", "urlIdx": 0, "created": 1, **more}


def model(name: str, tier: Tier, **more: Any) -> Model:
    """A model of the catalogue: local on Ollama, or of the frontier tier in the cloud."""
    cloud = tier is Tier.FRONTIER
    fields: dict[str, Any] = {
        "backend": Backend.OPENAI if cloud else Backend.OLLAMA,
        "location": Location.CLOUD if cloud else Location.LOCAL,
        "context_window": 131_072,
        "capabilities": Capabilities(vision=False, tools=True),
        "parameters_billion": {"small": 3.0, "medium": 8.0, "large": 32.0}.get(tier),
        **more,
    }
    return Model(id=name, name=name, tier=tier, **fields)


SMALL, MEDIUM, LARGE, CLOUD = (
    model("small", Tier.SMALL),
    model("medium", Tier.MEDIUM),
    model("large", Tier.LARGE),
    model("cloud", Tier.FRONTIER),
)
EVERYTHING = Catalogue((SMALL, MEDIUM, LARGE, CLOUD))
