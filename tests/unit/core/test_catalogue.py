"""What is known of each model, read from Open WebUI's list and Ollama's /api/show."""

from typing import Any

import pytest

from rightsize.catalogue import Backend, Tier, build_catalogue, build_model, tier_for
from rightsize.engines.facts import Facts, parameters_from_name, parse_parameter_size
from rightsize.locality import Connection, Connections, Location
from rightsize.settings import RoutingSettings
from tests.unit.core.build import CONNECTIONS, ollama_entry, openai_entry

DEFAULTS = RoutingSettings()
SHOW: dict[str, Any] = {
    "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
    "capabilities": ["completion", "tools", "vision"],
}


@pytest.mark.parametrize(
    ("text", "billions"),
    [
        ("3.2B", 3.2),
        ("137M", 0.137),
        ("8x7B", 56.0),
        ("1T", 1000.0),
        (" 70 b ", 70.0),
        ("", None),
        ("large", None),
        ("-3B", None),
        ("3.2", None),
        ("9" * 400 + "x7B", None),
        ("٣B", None),
    ],
)
def test_parameter_sizes(text: str, billions: float | None) -> None:
    assert parse_parameter_size(text) == (None if billions is None else pytest.approx(billions))


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("qwen2.5-coder:32b-instruct", 32.0),
        ("llama3.2:3b", 3.0),
        ("mixtral:8x7b", 56.0),
        ("Qwen/Qwen3-30B-A3B", 30.0),
        ("gpt-4o", None),
        ("qwen2.5:latest", None),
        ("b2b:latest", None),
        (f"m-{'9' * 400}x7b", None),
    ],
)
def test_sizes_in_names(name: str, billions: float | None) -> None:
    assert parameters_from_name(name) == billions


@pytest.mark.parametrize(
    ("billions", "tier"),
    [
        (0.5, Tier.SMALL),
        (5.0, Tier.SMALL),
        (5.1, Tier.MEDIUM),
        (20.0, Tier.MEDIUM),
        (20.1, Tier.LARGE),
        (None, Tier.MEDIUM),
    ],
)
def test_local_models_are_tiered_by_size(billions: float | None, tier: Tier) -> None:
    assert tier_for("m", Location.LOCAL, billions, DEFAULTS) is tier


def test_cloud_models_are_frontier_whatever_their_size() -> None:
    assert tier_for("m", Location.CLOUD, 3.0, DEFAULTS) is Tier.FRONTIER


def test_an_administrators_tier_wins() -> None:
    settings = RoutingSettings(tier_overrides="hf.co/a/b:3b=large, phi4:14b = Small")
    assert tier_for("hf.co/a/b:3b", Location.LOCAL, 3.0, settings) is Tier.LARGE
    assert tier_for("phi4:14b", Location.LOCAL, 14.0, settings) is Tier.SMALL


def test_everything_ollama_tells_is_read() -> None:
    found = build_model({**ollama_entry("llama3.2:3b"), "loaded": True}, SHOW, CONNECTIONS, DEFAULTS)
    assert (found.backend, found.location, found.tier) == (Backend.OLLAMA, Location.LOCAL, Tier.SMALL)
    assert (found.parameters_billion, found.quantization, found.context_window) == (3.2, "Q4_K_M", 131_072)
    assert (found.capabilities.vision, found.capabilities.tools, found.resident) == (True, True, True)


@pytest.mark.parametrize("show", [{}, {"model_info": None, "capabilities": None}, {"model_info": {"x": -1}}])
def test_what_ollama_does_not_tell_is_unknown(show: dict[str, Any]) -> None:
    found = build_model(ollama_entry("llama3.2:3b"), show, CONNECTIONS, DEFAULTS)
    assert found.context_window is None
    assert found.capabilities.vision is None
    assert found.capabilities.tools is None
    assert not found.resident


def test_an_administrator_can_take_vision_away_where_nothing_tells_of_it() -> None:
    entry = openai_entry("gpt", info={"meta": {"capabilities": {"vision": False}}})
    assert build_model(entry, {}, CONNECTIONS, DEFAULTS).capabilities.vision is False


@pytest.mark.parametrize(
    "entry",
    [
        {**openai_entry("mine"), "preset": True},
        {**openai_entry("arena"), "arena": True},
        {**openai_entry("arena"), "owned_by": "arena"},
        {**openai_entry("some.pipe"), "pipe": {"type": "pipe"}},
        openai_entry("text-embedding-3-small"),
        openai_entry("whisper-1"),
        openai_entry("gpt-image-1"),
        ollama_entry("nomic-embed-text:latest"),
        openai_entry("unwanted"),
        openai_entry(""),
        {},
    ],
)
def test_what_cannot_or_may_not_answer_a_chat_is_left_out(entry: dict[str, Any]) -> None:
    settings = RoutingSettings(excluded_models="unwanted, other")
    assert build_catalogue([entry], {}, CONNECTIONS, settings).models == ()


def test_an_embedding_model_is_known_by_what_ollama_says_it_can_do() -> None:
    shows = {"any:latest": {"capabilities": ["embedding"]}}
    assert build_catalogue([ollama_entry("any:latest")], shows, CONNECTIONS, DEFAULTS).models == ()


@pytest.mark.parametrize("name", ["BAAI/bge-m3", "intfloat/e5-mistral-7b-instruct", "all-MiniLM-L6-v2"])
def test_an_embedding_model_is_known_by_its_family_where_nothing_tells(name: str) -> None:
    assert build_catalogue([openai_entry(name)], {}, CONNECTIONS, DEFAULTS).models == ()


def engine_entry(name: str, **told: Any) -> dict[str, Any]:
    """A model of a local engine as Open WebUI lists it: the server's fields at the top and under `openai`."""
    return openai_entry(name, **told, openai={"id": name, **told})


def test_what_a_local_engine_lists_is_read() -> None:
    connections = Connections(openai=(Connection("http://127.0.0.1:8000/v1", "local"),))
    entry = {**engine_entry("assistant", root="Qwen/Qwen2.5-32B", max_model_len=16_384), "loaded": False}
    found = build_model(entry, {}, connections, DEFAULTS)
    assert (found.location, found.tier) == (Location.LOCAL, Tier.LARGE)
    assert (found.context_window, found.resident) == (16_384, True)


def test_what_a_server_told_when_asked_goes_before_what_was_listed() -> None:
    entry = engine_entry("assistant", max_model_len=16_384)
    found = build_model(entry, {}, CONNECTIONS, DEFAULTS, Facts(context_window=4096, resident=False, tools=True))
    assert (found.context_window, found.resident, found.capabilities.tools) == (4096, False, True)


def test_what_a_server_tells_makes_nothing_local() -> None:
    entry = engine_entry("assistant", owned_by="vllm", max_model_len=16_384, connection_type="local") | {
        "owned_by": "openai"
    }
    told = Facts(parameters_billion=3.0, resident=True)
    found = build_model(entry, {}, CONNECTIONS, DEFAULTS, told)
    assert (found.location, found.tier) == (Location.CLOUD, Tier.FRONTIER)


def test_a_server_that_says_what_a_model_is_for_is_believed() -> None:
    entry = openai_entry("image-tagger")
    assert build_model(entry, {}, CONNECTIONS, DEFAULTS, Facts(chat=True)).capabilities.chat
    assert build_catalogue([openai_entry("m")], {}, CONNECTIONS, DEFAULTS, {"m": Facts(chat=False)}).models == ()


def test_a_connections_prefix_is_no_part_of_the_name() -> None:
    connections = Connections(openai=(Connection("http://127.0.0.1:8000/v1", "local", "lab"),))
    assert build_model(openai_entry("lab.7b-chat"), {}, connections, DEFAULTS).parameters_billion == 7.0


def test_a_function_may_be_named_as_the_frontier_model_and_is_cloud() -> None:
    entry = {**openai_entry("claude.opus"), "pipe": {"type": "pipe"}}
    settings = RoutingSettings(frontier_model="claude.opus", local_hosts="127.0.0.1")
    (found,) = build_catalogue([entry], {}, CONNECTIONS, settings).models
    assert (found.backend, found.location, found.tier) == (Backend.FUNCTION, Location.CLOUD, Tier.FRONTIER)


def test_a_catalogue_finds_its_models() -> None:
    catalogue = build_catalogue([ollama_entry("llama3.2:3b"), openai_entry("gpt-5")], {}, CONNECTIONS, DEFAULTS)
    found = catalogue.find("gpt-5")
    assert found is not None
    assert not found.is_local
    assert catalogue.find("missing") is None
