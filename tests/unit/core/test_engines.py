"""What local engines tell of their models, read from their own answers."""

from typing import Any

import pytest

from rightsize.engines.facts import Facts
from rightsize.engines.llama_cpp import has_props, llama_cpp_abilities, llama_cpp_props, window_from_arguments
from rightsize.engines.lm_studio import read_lm_studio_v0, read_lm_studio_v1
from rightsize.engines.recognition import (
    Engine,
    answers_for_every_name,
    engine_of,
    facts_of,
    facts_of_list,
    listed_entries,
    server_root,
    servers_own,
)
from tests.engines.double import load

# What a field may hold that should hold something else.
NONSENSE: list[Any] = [None, True, -1, 0, 1.5, 10**30, "", "4096", "x" * 100_000, [], [None], {}, {"a": [{}]}]


def router(state: str, name: str = "small") -> dict[str, Any]:
    entries: list[dict[str, Any]] = load(f"llama_cpp_router_{state}")["data"]
    return next(entry for entry in entries if entry["id"] == name)


def test_a_loaded_model_of_a_llama_cpp_router() -> None:
    assert facts_of(router("loaded")) == Facts(
        parameters_billion=0.630167424,
        quantization="Q4_K - Medium",
        context_window=4096,
        vision=False,
        resident=True,
    )


@pytest.mark.parametrize("state", ["unloaded", "loading"])
def test_an_unloaded_model_of_a_llama_cpp_router_is_known_by_its_arguments(state: str) -> None:
    assert facts_of(router(state)) == Facts(parameters_billion=0.5, context_window=4096, vision=False, resident=False)
    # Its context is what it was trained on, which the router does not know before it is loaded.
    assert facts_of(router("unloaded", "whole")).context_window is None
    assert facts_of(router("other_loaded", "whole")).context_window == 32_768


def test_a_sleeping_model_of_a_llama_cpp_router_is_not_loaded() -> None:
    found = facts_of(router("sleeping"))
    assert (found.resident, found.context_window) == (False, 4096)
    assert has_props(router("sleeping"))
    assert not has_props(router("unloaded"))


def test_a_single_llama_cpp_model_is_loaded_unless_it_sleeps() -> None:
    (entry,) = load("llama_cpp_single_models")["data"]
    props = load("llama_cpp_single_props")
    assert facts_of(entry) == Facts(0.630167424, "Q4_K - Medium", 2048, vision=False, resident=True)
    assert llama_cpp_props(props) == Facts(
        quantization="Q4_K - Medium", context_window=2048, vision=False, tools=True, resident=True
    )
    assert llama_cpp_props({**props, "is_sleeping": True}).resident is False
    assert answers_for_every_name([entry])
    assert not answers_for_every_name([router("loaded")])


def test_a_routers_own_props_tell_of_no_model() -> None:
    assert llama_cpp_props(load("llama_cpp_router_props")) == Facts()


@pytest.mark.parametrize(
    ("caps", "tools"),
    [
        ({"supports_tools": True, "supports_tool_calls": True}, True),
        ({"supports_tools": True, "supports_tool_calls": False}, False),
        ({"supports_tools": False, "supports_tool_calls": False}, False),
        ({"supports_tools": True}, None),
        ({"supports_tools": "yes", "supports_tool_calls": 1}, None),
        (None, None),
    ],
)
def test_tools_are_used_where_the_chat_template_has_them_and_their_calls(caps: Any, tools: bool | None) -> None:
    assert llama_cpp_abilities({"chat_template_caps": caps}).tools is tools


@pytest.mark.parametrize(
    ("arguments", "trained_on", "window"),
    [
        ("--ctx-size 8192", None, 8192),
        ("-c 8192", None, 8192),
        ("--ctx-size=8192", None, 8192),
        ("-c 1024 --ctx-size 8192", None, 8192),
        ("-c 1024 -c 8192", None, 8192),
        ("-c 8192 --parallel 2", None, 4096),
        ("-c 8192 -np 2 --kv-unified", None, 8192),
        ("-c 8192 -np 2 -kvu -no-kvu", None, 4096),
        ("-c 8192 --parallel -1", None, 8192),
        ("-c 0", 32_768, 32_768),
        ("-c 0 -np 4", 32_768, 8192),
        ("-c 0", None, None),
        ("-c -1", 32_768, None),
        ("-c", None, None),
        ("-c many", None, None),
        ("-c ４０９６", None, None),
        ("-c 99999999999999999999", None, None),
        ("-c 999999999999", None, None),
        ("-c 4096 -np many", None, 4096),
        ("", 32_768, None),
    ],
)
def test_the_window_is_read_from_the_arguments(arguments: str, trained_on: int | None, window: int | None) -> None:
    assert window_from_arguments(arguments.split(), trained_on) == window


@pytest.mark.parametrize(
    ("arguments", "vision"),
    [
        (["--model", "a.gguf", "--mmproj", "mmproj-a.gguf"], True),
        (["--model", "a.gguf"], False),
        (["--hf-repo", "ggml-org/gemma-3-4b-it-GGUF"], None),
        (["--hf-repo", "ggml-org/gemma-3-4b-it-GGUF", "--no-mmproj"], False),
        ([], None),
    ],
)
def test_a_router_lists_text_alone_before_it_has_loaded_a_projector(arguments: list[str], vision: bool | None) -> None:
    entry = {**router("unloaded"), "status": {"value": "unloaded", "args": arguments}}
    assert facts_of(entry).vision is vision
    assert facts_of({**entry, "architecture": {"input_modalities": ["text", "image"]}}).vision is True


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (["-m", "/srv/models/qwen2.5-coder-32b-instruct-q4_k_m.gguf"], 32.0),
        (["-m", "C:\\models\\phi-4-14b.gguf"], 14.0),
        (["--hf-repo", "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M"], 4.0),
        (["-m", "/srv/7b/model.gguf"], None),
        (["-m"], None),
    ],
)
def test_a_models_file_tells_its_size_where_its_name_is_an_alias(arguments: list[str], size: float | None) -> None:
    entry = {**router("unloaded"), "status": {"value": "unloaded", "args": arguments}}
    assert facts_of(entry).parameters_billion == size


def test_a_model_that_is_started_for_embeddings_is_none_for_chats() -> None:
    entry = {**router("unloaded"), "status": {"value": "unloaded", "args": ["--embeddings"]}}
    assert facts_of(entry).chat is False


def test_lm_studio_tells_most_in_its_newer_list() -> None:
    found = read_lm_studio_v1(load("lm_studio_v1_models"))
    assert found == {
        "qwen2-vl-7b-instruct": Facts(7.0, "4bit", 32_768, vision=True, tools=False, chat=True, resident=False),
        "meta-llama-3.1-8b-instruct": Facts(8.0, "Q4_K_M", 16_384, vision=False, tools=True, chat=True, resident=True),
        "text-embedding-nomic-embed-text-v1.5": Facts(None, "Q4_0", 2048, chat=False, resident=False),
    }


def test_an_instance_of_a_model_in_lm_studio_goes_by_its_own_id_too() -> None:
    answer = load("lm_studio_v1_models")
    answer["models"][1]["loaded_instances"].append({"id": "fast", "config": {"context_length": 2048}})
    found = read_lm_studio_v1(answer)
    assert found is not None
    assert found["fast"].context_window == 2048
    assert found["meta-llama-3.1-8b-instruct"].context_window == 16_384


def test_lm_studios_older_list_tells_no_size() -> None:
    assert read_lm_studio_v0(load("lm_studio_v0_models")) == {
        "qwen2-vl-7b-instruct": Facts(None, "4bit", 32_768, vision=True, chat=True, resident=False),
        "meta-llama-3.1-8b-instruct": Facts(None, "Q4_K_M", 16_384, vision=False, tools=True, chat=True, resident=True),
        "text-embedding-nomic-embed-text-v1.5": Facts(None, "Q4_0", 2048, chat=False, resident=False),
    }


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        [],
        {"error": "Unexpected endpoint or method. (GET /api/v0/models)"},
        {"data": None},
        {"data": [None, 1, {"id": "m"}], "models": [None, 1, {"key": "m"}]},
        {"data": [{"id": "m", "object": "model", "type": "model"}], "models": [{"key": "m", "type": ["llm"]}]},
    ],
)
def test_what_is_not_lm_studios_list_is_not_taken_for_it(body: Any) -> None:
    assert read_lm_studio_v0(body) is None
    assert read_lm_studio_v1(body) is None


def test_vllm_tells_the_window_and_where_the_weights_come_from() -> None:
    found = facts_of_list(load("vllm_models")["data"])
    assert found["assistant"] == Facts(parameters_billion=32.0, context_window=16_384, resident=True)
    assert found["assistant-legal"] == found["assistant"]


@pytest.mark.parametrize(
    ("entry", "engine"),
    [
        ({"owned_by": "llamacpp"}, Engine.LLAMA_CPP),
        ({"meta": {"n_vocab": 1}}, Engine.LLAMA_CPP),
        ({"owned_by": "vllm"}, Engine.VLLM),
        ({"owned_by": "sglang", "max_model_len": 4096}, Engine.VLLM),
        ({"owned_by": "organization_owner"}, None),
        ({"owned_by": ["vllm"]}, None),
        ({}, None),
    ],
)
def test_an_engine_is_told_by_the_shape_of_its_answers(entry: dict[str, Any], engine: Engine | None) -> None:
    assert engine_of(entry) is engine


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda value: repr(value)[:20])
def test_nonsense_is_unknown_and_never_an_error(nonsense: Any) -> None:
    """Every field of every answer in turn holds what it should not."""
    unknown = Facts()
    for entry in [router("loaded"), router("unloaded"), *load("vllm_models")["data"]]:
        for field in entry:
            facts_of({**entry, field: nonsense})
    for field in ("meta", "status", "architecture"):
        for inner in router("loaded")[field]:
            facts_of({**router("loaded"), field: {inner: nonsense}})
    assert facts_of({"owned_by": "llamacpp", "status": nonsense, "meta": nonsense}).context_window is None
    assert facts_of({"owned_by": "vllm", "max_model_len": nonsense, "root": nonsense}).context_window is None
    for read, name, list_field in (
        (read_lm_studio_v1, "lm_studio_v1_models", "models"),
        (read_lm_studio_v0, "lm_studio_v0_models", "data"),
    ):
        answer = load(name)
        for field in answer[list_field][1]:
            read({list_field: [{**answer[list_field][1], field: nonsense}, answer[list_field][0]]})
        read({list_field: nonsense})
    for field in load("llama_cpp_props"):
        llama_cpp_props({**load("llama_cpp_props"), field: nonsense})
    assert llama_cpp_props({"default_generation_settings": {"n_ctx": nonsense}}) == unknown
    assert facts_of_list(listed_entries(nonsense)) == {}
    assert servers_own({"openai": nonsense}) == (nonsense if isinstance(nonsense, dict) else {})


@pytest.mark.parametrize("field", ["n_ctx", "n_params", "ftype"])
@pytest.mark.parametrize("nonsense", [None, True, -1, 0, 1.5, 10**30, [], {}])
def test_a_bad_number_is_no_number(field: str, nonsense: Any) -> None:
    found = facts_of({"owned_by": "llamacpp", "meta": {field: nonsense}})
    assert (found.context_window, found.parameters_billion, found.quantization) == (None, None, None)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:1234/api/v0", "http://127.0.0.1:1234"),
        ("http://box.lan/llama/v1", "http://box.lan/llama"),
    ],
)
def test_the_root_of_a_server(url: str, root: str) -> None:
    assert server_root(url) == root


def test_facts_fill_each_other_up() -> None:
    assert Facts(tools=False).or_else(Facts(1.0, tools=True, vision=True)) == Facts(1.0, tools=False, vision=True)
