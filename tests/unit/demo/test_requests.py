"""What the double refuses, with Ollama's statuses and words."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.ollama import Behaviour
from tests.unit.demo.build import EMBED, LARGE, MINI, QUESTION, SMALL, TOOL

CHAT = {"model": SMALL, "messages": [QUESTION], "stream": False}
PICTURE = {**QUESTION, "images": ["iVBORw0KGgo="]}


@pytest.mark.parametrize(
    ("path", "form", "status", "words"),
    [
        ("/api/chat", {**CHAT, "model": "missing"}, 404, "model 'missing' not found"),
        ("/api/generate", {"model": "missing", "prompt": "x"}, 404, "model 'missing' not found"),
        ("/api/show", {"model": "missing"}, 404, "model 'missing:latest' not found"),
        ("/api/embed", {"model": "missing", "input": "x"}, 404, 'model "missing" not found, try pulling it first'),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/chat", {**CHAT, "model": None, "name": SMALL}, 400, "model is required"),
        ("/api/show", {}, 400, "model is required"),
        ("/api/generate", {}, 404, "model '' not found"),
        ("/api/chat", {**CHAT, "model": "demo-small"}, 404, "model 'demo-small' not found"),
        ("/api/chat", {**CHAT, "model": EMBED}, 400, f'"{EMBED}" does not support chat'),
        ("/api/generate", {"model": EMBED, "prompt": "x"}, 400, f'"{EMBED}" does not support generate'),
        ("/api/chat", {**CHAT, "model": MINI, "tools": [TOOL]}, 400, f"library/{MINI} does not support tools"),
        ("/api/chat", {**CHAT, "think": True}, 400, f'"{SMALL}" does not support thinking'),
        ("/api/chat", {**CHAT, "messages": [PICTURE]}, 500, "image input is not supported"),
        ("/api/chat", {**CHAT, "model": LARGE, "messages": [PICTURE]}, 500, "image input is not supported"),
        ("/api/chat", {**CHAT, "top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        ("/api/chat", {**CHAT, "keep_alive": "soon"}, 400, 'time: invalid duration "soon"'),
        ("/api/chat", {**CHAT, "keep_alive": "10"}, 400, 'time: missing unit in duration "10"'),
        ("/api/chat", {**CHAT, "keep_alive": True}, 400, "Unsupported type: 'bool'"),
        ("/api/chat", {**CHAT, "options": {"num_ctx": "big"}}, 500, 'option "num_ctx" must be of type integer'),
        ("/api/chat", {**CHAT, "options": {"top_p": "x"}}, 500, 'option "top_p" must be of type float32'),
        ("/api/chat", {**CHAT, "options": "x"}, 400, "ChatRequest.options of type map[string]interface {}"),
        ("/api/chat", {**CHAT, "messages": "hi"}, 400, "cannot unmarshal string into Go struct field ChatRequest.mess"),
        ("/api/chat", {**CHAT, "messages": ["hi"]}, 400, "cannot unmarshal string"),
        ("/api/chat", {**CHAT, "messages": [{"role": "user", "content": [1]}]}, 400, "cannot unmarshal array"),
        ("/api/chat", {**CHAT, "stream": "yes"}, 400, "ChatRequest.stream of type bool"),
        ("/api/chat", ["no"], 400, "cannot unmarshal array into Go value of type api.ChatRequest"),
        ("/api/embed", {"model": SMALL, "input": "x"}, 501, "This server does not support embeddings"),
        ("/api/embeddings", {"model": SMALL, "prompt": "x"}, 500, "This server does not support embeddings"),
    ],
)
def test_errors_are_ollamas(ollama: TestClient, path: str, form: Any, status: int, words: str) -> None:
    response = ollama.post(path, json=form)
    assert (response.status_code, words in response.json()["error"]) == (status, True), response.text
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "missing request body"),
        (b"  ", "missing request body"),
        (b"{", "unexpected EOF"),
        (b"nope", "invalid char"),
    ],
)
def test_bodies_that_are_not_json(ollama: TestClient, body: bytes, words: str) -> None:
    response = ollama.post("/api/chat", content=body)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_addresses(ollama: TestClient) -> None:
    assert ollama.get("/").text == "Ollama is running"
    assert ollama.head("/").status_code == 200
    assert ollama.get("/api/version").json()["version"]
    wrong = ollama.get("/api/chat")
    assert (wrong.status_code, wrong.text) == (405, "405 method not allowed")
    missing = ollama.get("/nowhere")
    assert (missing.status_code, missing.text) == (404, "404 page not found")


def test_a_refused_request_is_in_the_record_all_the_same(ollama: TestClient, behaviour: Behaviour) -> None:
    ollama.post("/api/chat", json={**CHAT, "model": "missing"})
    assert [(request["path"], request["model"]) for request in behaviour.requests] == [("/api/chat", "missing")]
