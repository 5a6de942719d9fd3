"""Where Ollama is particular: the order of its checks, what it reads of a body, what it does for cloud models."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.ollama import DEMO_MODELS, Behaviour, DemoModel, create_app
from tests.unit.demo.build import EMBED, LARGE, MEDIUM, QUESTION, REMOTE, SMALL, last, loaded

CHAT: dict[str, Any] = {"model": SMALL, "messages": [QUESTION], "stream": False}
UNKNOWN = {**CHAT, "model": "missing"}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        # What cannot be read is refused before the model is looked for.
        ({**UNKNOWN, "keep_alive": "abc"}, 'time: invalid duration "abc"'),
        ({**UNKNOWN, "top_logprobs": 50}, "top_logprobs must be between 0 and 20"),
        ({**UNKNOWN, "think": "hard"}, 'invalid think value: "hard"'),
        ({**UNKNOWN, "think": 7}, "think must be a boolean or string"),
        ({**UNKNOWN, "shift": "no"}, "ChatRequest.shift of type bool"),
        ({**UNKNOWN, "messages": [{**QUESTION, "images": ["***"]}]}, "illegal base64 data at input byte 0"),
        ({**UNKNOWN, "top_logprobs": 1.5}, "cannot unmarshal number 1.5 into Go struct field"),
    ],
)
def test_what_cannot_be_read_is_refused_first(ollama: TestClient, form: Any, words: str) -> None:
    response = ollama.post("/api/chat", json=form)
    assert (response.status_code, words in response.json()["error"]) == (400, True), response.text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (json.dumps(CHAT) + "{and more", 200, ""),
        (json.dumps(CHAT).replace('"model"', '"Model"'), 200, ""),
        ('{"model": NaN}', 400, "invalid character 'N' looking for beginning of value"),
        ('{"model": "x" 1}', 400, "invalid character '1' after object key:value pair"),
        ('{"model": "x', 400, "unexpected EOF"),
        ('{"model": ' + "[" * 100_000, 400, "exceeded max depth"),
        (b'{"model": "\xff"}', 404, "not found"),
    ],
)
def test_bodies_are_read_as_go_reads_them(ollama: TestClient, body: str | bytes, status: int, words: str) -> None:
    response = ollama.post("/api/chat", content=body)
    assert (response.status_code, words in response.text) == (status, True), response.text


def test_a_model_in_the_cloud_is_not_loaded_to_embed_either(ollama: TestClient, behaviour: Behaviour) -> None:
    assert ollama.post("/api/embed", json={"model": REMOTE, "input": "x"}).status_code == 500
    assert (loaded(ollama), behaviour.loads) == ({}, [])


def test_what_became_of_a_request_to_the_cloud_is_in_the_record(ollama: TestClient, behaviour: Behaviour) -> None:
    last(ollama, REMOTE, stream=False)
    (request,) = behaviour.requests
    assert (request["loaded_anew"], request["context_length"], request["dropped_messages"]) == (False, 131_072, [])
    assert request["prompt_tokens"] > 0


def test_of_a_model_in_the_cloud_little_is_told(ollama: TestClient) -> None:
    show = ollama.post("/api/show", json={"model": REMOTE}).json()
    assert set(show["model_info"]) == {"general.architecture", "gptoss.context_length", "gptoss.embedding_length"}
    assert "tensors" not in show


def test_numbers_layer_by_layer_are_null_unless_verbose() -> None:
    numbers = next(model for model in DEMO_MODELS if model.name == SMALL).architecture
    heads = (8, *(4,) * (numbers.block_count - 1))
    model = DemoModel(
        name="mixed:1b",
        size=10**9,
        parameter_count=10**9,
        architecture=numbers.model_copy(update={"head_count_kv": heads}),
    )
    with TestClient(create_app([model])) as client:
        for verbose, told in ((False, None), (True, list(heads))):
            show = client.post("/api/show", json={"model": "mixed:1b", "verbose": verbose}).json()
            assert show["model_info"]["llama.attention.head_count_kv"] == told
            assert show["model_info"]["llama.attention.key_length"] == 128


def test_any_model_can_be_unloaded_without_a_question(ollama: TestClient) -> None:
    ollama.post("/api/embed", json={"model": EMBED, "input": "x"})
    assert list(loaded(ollama)) == [EMBED]
    answer = ollama.post("/api/generate", json={"model": EMBED, "keep_alive": 0})
    assert (answer.status_code, answer.json().get("done_reason")) == (200, "unload")
    assert loaded(ollama) == {}


@pytest.mark.parametrize("given", [[1, 2], {"a": 1}, 5])
def test_only_texts_are_embedded(ollama: TestClient, given: Any) -> None:
    answer = ollama.post("/api/embed", json={"model": EMBED, "input": given})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid input type"})


def test_embeddings_can_be_shortened_and_nothing_has_none(ollama: TestClient) -> None:
    answer = ollama.post("/api/embed", json={"model": EMBED, "input": "a b", "dimensions": 64}).json()
    (vector,) = answer["embeddings"]
    assert (len(vector), sum(value * value for value in vector)) == (64, pytest.approx(1))
    assert ollama.post("/api/embed", json={"model": EMBED, "input": []}).json() == {"model": EMBED, "embeddings": []}
    long = {"model": EMBED, "input": "word " * 9_000}
    assert ollama.post("/api/embed", json=long).status_code == 200
    assert ollama.post("/api/embed", json={**long, "truncate": False}).status_code == 400


def test_only_models_that_insert_take_a_suffix(ollama: TestClient) -> None:
    form = {"prompt": "a", "suffix": "b", "stream": False}
    refused = ollama.post("/api/generate", json={"model": SMALL, **form})
    assert (refused.status_code, "does not support insert" in refused.text) == (400, True)
    assert ollama.post("/api/generate", json={"model": "demo-coder:14b", **form}).status_code == 200


def test_an_image_that_was_dropped_is_not_missed(ollama: TestClient) -> None:
    messages = [{"role": "user", "content": "word " * 3_000, "images": ["iVBORw0KGgo="]}, QUESTION]
    form: dict[str, Any] = {"messages": messages, "options": {"num_ctx": 2_048}, "stream": False}
    assert "was dropped" in last(ollama, **form)["message"]["content"]
    assert "was dropped" in last(ollama, MEDIUM, **form)["message"]["content"]


def test_durations_add_up_and_an_answer_stops_where_it_is_told_to(ollama: TestClient) -> None:
    first, second = (last(ollama, LARGE, stream=False, options={"stop": [" without"]}) for _ in range(2))
    assert first["message"]["content"].endswith("a stand-in")
    for answer in (first, second):
        parts = ("load_duration", "prompt_eval_duration", "eval_duration")
        assert answer["total_duration"] == pytest.approx(sum(answer[part] for part in parts), abs=10)
    assert first["load_duration"] > 10**9 > second["load_duration"] > 0


def test_schemas_that_refer_to_definitions(ollama: TestClient) -> None:
    schema = {
        "$defs": {"Step": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}}},
        "type": "object",
        "properties": {"steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}, "minItems": 2}},
    }
    text = last(ollama, stream=False, format=schema)["message"]["content"]
    assert json.loads(text) == {"steps": [{"n": 3}, {"n": 3}]}
    endless = {"$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}}}, "$ref": "#/$defs/A"}
    assert json.loads(last(ollama, stream=False, format=endless)["message"]["content"])


def test_what_is_not_there_has_no_charset(ollama: TestClient) -> None:
    assert ollama.get("/nowhere").headers["content-type"] == "text/plain"
    assert ollama.get("/api/chat").headers["content-type"] == "text/plain"
