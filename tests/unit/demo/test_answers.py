"""What the double answers."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.ollama import Behaviour
from tests.unit.demo.build import EMBED, LARGE, MEDIUM, QUESTION, SMALL, TOOL, chat, last


def test_an_answer_is_streamed_and_ends_with_counts(ollama: TestClient) -> None:
    *pieces, end = chat(ollama)
    assert not any(piece["done"] for piece in pieces)
    assert "stand-in without a real model" in "".join(piece["message"]["content"] for piece in pieces)
    assert (end["done"], end["done_reason"]) == (True, "stop")
    assert end["eval_count"] == len(pieces)
    assert end["prompt_eval_count"] > 0
    assert end["eval_duration"] > 0


def test_an_answer_whole(ollama: TestClient) -> None:
    assert last(ollama, stream=False)["message"]["content"].startswith("[Demo engine]")
    form = {"model": SMALL, "prompt": "Hello", "system": "Be kind.", "stream": False}
    answer = ollama.post("/api/generate", json=form).json()
    assert answer["response"].startswith("[Demo engine]")
    assert len(answer["context"]) == answer["prompt_eval_count"] + answer["eval_count"]


def test_a_name_in_capitals_is_given_back_as_it_was(ollama: TestClient) -> None:
    assert last(ollama, SMALL.upper())["model"] == SMALL.upper()


def test_a_tool_that_is_named_is_called_and_its_result_used(ollama: TestClient) -> None:
    messages = [{"role": "user", "content": "Please use get_weather"}]
    call, _ = chat(ollama, messages=messages, tools=[TOOL])
    assert call["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    answer = last(ollama, messages=[*messages, {"role": "tool", "content": "sunny"}], tools=[TOOL], stream=False)
    assert "A tool answered: sunny" in answer["message"]["content"]


def test_a_thinking_model_thinks_unless_it_is_told_not_to(ollama: TestClient) -> None:
    first = chat(ollama, LARGE)[0]["message"]
    assert first["thinking"]
    assert first["content"] == ""
    assert last(ollama, LARGE, stream=False)["message"]["thinking"]
    assert "thinking" not in last(ollama, LARGE, stream=False, think=False)["message"]
    assert "thinking" in last(ollama, LARGE, stream=False, think="low")["message"]
    assert "thinking" not in last(ollama, SMALL, stream=False)["message"]


def test_an_image_for_a_model_that_sees(ollama: TestClient) -> None:
    picture = {**QUESTION, "images": ["aGk="]}
    assert f"This is {MEDIUM}" in last(ollama, MEDIUM, messages=[picture], stream=False)["message"]["content"]


@pytest.mark.parametrize("stream", [True, False])
def test_log_probabilities(ollama: TestClient, stream: bool) -> None:
    answer = chat(ollama, logprobs=True, top_logprobs=1, options={"num_predict": 2}, stream=stream)[0]
    assert len(answer["logprobs"]) == (1 if stream else 2)
    entry = answer["logprobs"][0]
    assert bytes(entry["bytes"]).decode() == entry["token"] == entry["top_logprobs"][0]["token"]
    assert "logprobs" not in chat(ollama)[0]


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "b": {"type": "array", "items": {"type": "boolean"}},
        "c": {"enum": ["x", "y"]},
        "d": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "e": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("wanted", "keys"), [("json", {"answer"}), (SCHEMA, set("abcde")), ({"type": "object"}, set())]
)
def test_an_answer_in_the_form_that_is_asked_for(ollama: TestClient, wanted: Any, keys: set[str]) -> None:
    answer = json.loads(last(ollama, format=wanted, stream=False)["message"]["content"])
    assert set(answer) == keys
    if "c" in keys:
        assert (answer["a"], answer["b"], answer["c"], answer["d"]) == (1, [True], "x", 1.0)


def test_embeddings(ollama: TestClient) -> None:
    answer = ollama.post("/api/embed", json={"model": EMBED, "input": ["a cat", "a cat", "a dog"]}).json()
    first, second, third = answer["embeddings"]
    assert len(first) == 1024
    assert first == second != third
    assert sum(value * value for value in first) == pytest.approx(1)
    assert ollama.post("/api/embed", json={"model": EMBED, "input": []}).json()["embeddings"] == []
    assert ollama.post("/api/embeddings", json={"model": EMBED, "prompt": "a cat"}).json()["embedding"] == first
    listed = ollama.post("/v1/embeddings", json={"model": EMBED, "input": "a cat"}).json()
    assert listed["data"][0]["embedding"] == first


def test_what_the_double_is_told_to_get_wrong(ollama: TestClient, behaviour: Behaviour) -> None:
    behaviour.refuse_with = "CUDA out of memory"
    assert chat(ollama) == [{"error": "CUDA out of memory"}]
    behaviour.refuse_with, behaviour.fail_stream_with = None, "runner died"
    assert last(ollama) == {"error": "runner died"}
    assert last(ollama, stream=False) == {"error": "runner died"}
    behaviour.fail_stream_with, behaviour.cut_stream_after = None, 2
    with pytest.raises(ConnectionResetError):
        chat(ollama)
    assert behaviour.stopped_early == 1
