"""The Ollama double answers as Ollama's API documentation says Ollama does."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.models import DemoModel
from demo.ollama import Behaviour, create_app
from demo.scheduler import Scheduler, parse_keep_alive

SMALL, LARGE, EMBED = "demo-small:3b", "demo-large:32b", "demo-embed:latest"


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour(max_loaded_models=2)


@pytest.fixture
def ollama(behaviour: Behaviour) -> Iterator[TestClient]:
    with TestClient(create_app(behaviour=behaviour)) as client:
        yield client


def chat(client: TestClient, model: str = SMALL, **more: Any) -> list[dict[str, Any]]:
    form = {"model": model, "messages": [{"role": "user", "content": "How are you?"}], **more}
    return [json.loads(line) for line in client.post("/api/chat", json=form).text.splitlines()]


def loaded(client: TestClient) -> list[str]:
    return [entry["name"] for entry in client.get("/api/ps").json()["models"]]


def test_tags_and_show_describe_the_models(ollama: TestClient) -> None:
    tags = {entry["name"]: entry for entry in ollama.get("/api/tags").json()["models"]}
    assert tags[SMALL]["details"]["parameter_size"] == "3.2B"
    assert tags[SMALL]["details"]["quantization_level"] == "Q4_K_M"
    assert len(tags[SMALL]["digest"]) == 64
    show = ollama.post("/api/show", json={"model": LARGE}).json()
    assert show["model_info"]["qwen2.context_length"] == 131_072
    assert show["capabilities"] == ["completion", "tools"]


def test_a_cloud_model_has_a_remote_host() -> None:
    model = DemoModel("big:cloud", 480.0, 262_144, remote_host="https://ollama.com:443")
    with TestClient(create_app([model])) as client:
        (tag,) = client.get("/api/tags").json()["models"]
    assert (tag["remote_host"], tag["size"]) == ("https://ollama.com:443", 0)


def test_an_answer_is_streamed_and_ends_with_counts(ollama: TestClient) -> None:
    *pieces, last = chat(ollama)
    assert not any(piece["done"] for piece in pieces)
    assert "stand-in without a real model" in "".join(piece["message"]["content"] for piece in pieces)
    assert (last["done"], last["done_reason"]) == (True, "stop")
    assert last["eval_count"] == len(pieces)
    assert last["prompt_eval_count"] > 0


def test_an_answer_whole(ollama: TestClient) -> None:
    (answer,) = chat(ollama, stream=False)
    assert answer["message"]["content"].startswith("[Demo engine]")
    form = {"model": SMALL, "prompt": "Hello", "stream": False}
    assert ollama.post("/api/generate", json=form).json()["response"].startswith("[Demo engine]")


def test_a_tool_that_is_named_is_called_and_its_result_used(ollama: TestClient) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    messages = [{"role": "user", "content": "Please use get_weather"}]
    call, _ = chat(ollama, messages=messages, tools=tools)
    assert call["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    (answer,) = chat(ollama, messages=[*messages, {"role": "tool", "content": "sunny"}], tools=tools, stream=False)
    assert "A tool answered: sunny" in answer["message"]["content"]


def test_models_are_loaded_evicted_and_unloaded(ollama: TestClient) -> None:
    chat(ollama, SMALL)
    chat(ollama, "demo-medium:8b")
    assert loaded(ollama) == ["demo-medium:8b", SMALL]
    chat(ollama, LARGE)
    assert loaded(ollama) == [LARGE, "demo-medium:8b"]
    answer = ollama.post("/api/chat", json={"model": LARGE, "messages": [], "keep_alive": 0}).json()
    assert answer["done_reason"] == "unload"
    assert loaded(ollama) == ["demo-medium:8b"]
    assert ollama.post("/api/generate", json={"model": SMALL}).json()["done_reason"] == "load"
    assert loaded(ollama) == [SMALL, "demo-medium:8b"]


def test_a_model_stays_as_long_as_keep_alive_says(ollama: TestClient) -> None:
    chat(ollama, SMALL, keep_alive=0)
    assert loaded(ollama) == []
    chat(ollama, SMALL, keep_alive=-1)
    (entry,) = ollama.get("/api/ps").json()["models"]
    assert entry["expires_at"] > "2100"
    assert entry["context_length"] == 4096
    chat(ollama, SMALL, keep_alive="10m", options={"num_ctx": 8192})
    (entry,) = ollama.get("/api/ps").json()["models"]
    assert entry["expires_at"] < "2100"
    assert entry["context_length"] == 8192


def test_embeddings(ollama: TestClient) -> None:
    answer = ollama.post("/api/embed", json={"model": EMBED, "input": ["a cat", "a cat", "a dog"]}).json()
    first, second, third = answer["embeddings"]
    assert first == second != third
    assert sum(value * value for value in first) == pytest.approx(1)
    assert ollama.post("/api/embed", json={"model": EMBED, "input": []}).json()["embeddings"] == []


@pytest.mark.parametrize(
    ("path", "form", "status", "words"),
    [
        ("/api/chat", {"model": "missing"}, 404, "model 'missing' not found"),
        ("/api/chat", {}, 400, "model is required"),
        ("/api/show", {"model": "missing:3b"}, 404, "model 'missing:3b' not found"),
        ("/api/chat", {"model": EMBED}, 400, "does not support chat"),
        ("/api/generate", {"model": EMBED, "prompt": "x"}, 400, "does not support generate"),
        ("/api/chat", {"model": SMALL, "keep_alive": "soon"}, 400, "invalid duration"),
        ("/api/chat", {"model": SMALL, "keep_alive": [1]}, 400, "invalid keep_alive"),
        ("/api/chat", ["no"], 400, "cannot unmarshal"),
    ],
)
def test_errors_are_ollamas(ollama: TestClient, path: str, form: Any, status: int, words: str) -> None:
    response = ollama.post(path, json=form)
    assert response.status_code == status
    assert words in response.json()["error"]


def test_a_body_that_is_not_json(ollama: TestClient) -> None:
    assert ollama.post("/api/chat", content=b"{").status_code == 400


def test_what_the_double_is_told_to_get_wrong(ollama: TestClient, behaviour: Behaviour) -> None:
    behaviour.refuse_with = "CUDA out of memory"
    (answer,) = chat(ollama)
    assert answer == {"error": "CUDA out of memory"}
    behaviour.refuse_with, behaviour.fail_stream_with = None, "runner died"
    assert chat(ollama)[-1] == {"error": "runner died"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (300, 300.0),
        (0, 0.0),
        (-1, float("inf")),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("-1m", float("inf")),
        ("1.5s", 1.5),
    ],
)
def test_keep_alive(value: object, seconds: float) -> None:
    assert parse_keep_alive(value) == seconds


@pytest.mark.parametrize("value", ["", "5", "5 m", "m", True, None, "5x"])
def test_bad_keep_alive(value: object) -> None:
    with pytest.raises(ValueError, match="invalid"):
        parse_keep_alive(value)


def test_a_model_waits_while_all_others_are_serving() -> None:
    first, second = DemoModel("a:1b", 1.0, 4096), DemoModel("b:1b", 1.0, 4096)

    async def both() -> list[str]:
        scheduler, order = Scheduler(1, 300.0, 0.0), list[str]()

        async def use(model: DemoModel, hold: float) -> None:
            async with scheduler.use(model, None, 4096):
                order.append(f"{model.name} in")
                await asyncio.sleep(hold)
                order.append(f"{model.name} out")

        await asyncio.gather(use(first, 0.02), use(second, 0.0))
        return order

    assert asyncio.run(both()) == ["a:1b in", "a:1b out", "b:1b in", "b:1b out"]
