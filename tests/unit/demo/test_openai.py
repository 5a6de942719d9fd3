"""Ollama's OpenAI-compatible API."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.ollama import Behaviour
from tests.unit.demo.build import LARGE, MEDIUM, MINI, QUESTION, SMALL, TOOL, loaded

PATH = "/v1/chat/completions"


def complete(client: TestClient, **more: Any) -> Any:
    return client.post(PATH, json={"model": SMALL, "messages": [QUESTION], **more})


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_an_answer_whole_and_streamed(ollama: TestClient) -> None:
    whole = complete(ollama).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["finish_reason"] == "stop"
    usage = whole["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    chunks = events(complete(ollama, stream=True, stream_options={"include_usage": True}).text)
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks[:-1])
    assert text == whole["choices"][0]["message"]["content"]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], usage)
    assert "usage" not in events(complete(ollama, stream=True).text)[-1]


def test_it_knows_no_num_ctx_and_goes_back_to_the_default(ollama: TestClient, behaviour: Behaviour) -> None:
    form = {"model": SMALL, "messages": [QUESTION], "options": {"num_ctx": 4096}}
    ollama.post("/api/chat", json=form)
    complete(ollama, options={"num_ctx": 4096})
    assert loaded(ollama)[SMALL]["context_length"] == 32_768
    assert behaviour.loads == [SMALL, SMALL]


def test_limits_formats_tools_pictures_and_thoughts(ollama: TestClient) -> None:
    assert complete(ollama, max_tokens=2).json()["choices"][0]["finish_reason"] == "length"
    as_json = complete(ollama, response_format={"type": "json_object"}).json()["choices"][0]["message"]["content"]
    assert set(json.loads(as_json)) == {"answer"}
    asks = [{"role": "user", "content": "Use get_weather"}]
    called = complete(ollama, messages=asks, tools=[TOOL]).json()["choices"][0]
    assert called["finish_reason"] == "tool_calls"
    assert json.loads(called["message"]["tool_calls"][0]["function"]["arguments"]) == {}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    picture = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    assert complete(ollama, model=MEDIUM, messages=picture).status_code == 200
    assert complete(ollama, messages=picture).status_code == 500
    assert complete(ollama, model=LARGE).json()["choices"][0]["message"]["reasoning"]
    assert "reasoning" not in complete(ollama, model=LARGE, reasoning_effort="none").json()["choices"][0]["message"]


@pytest.mark.parametrize(
    ("more", "status", "kind"),
    [
        ({"model": "missing"}, 404, "not_found_error"),
        ({"messages": []}, 400, "invalid_request_error"),
        ({"messages": ["x"]}, 400, "invalid_request_error"),
        ({"model": MINI, "tools": [TOOL]}, 400, "invalid_request_error"),
        ({"stream": True, "model": "missing"}, 404, "not_found_error"),
    ],
)
def test_errors_have_openais_form(ollama: TestClient, more: dict[str, Any], status: int, kind: str) -> None:
    response = complete(ollama, **more)
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)


def test_errors_on_the_way(ollama: TestClient, behaviour: Behaviour) -> None:
    assert ollama.post(PATH, content=b"{").status_code == 400
    behaviour.fail_stream_with = "runner died"
    assert complete(ollama).status_code == 500
    assert "runner died" in complete(ollama, stream=True).text


def test_completions_of_a_text(ollama: TestClient, behaviour: Behaviour) -> None:
    form = {"model": SMALL, "prompt": "Say hi.", "max_tokens": 3}
    answer = ollama.post("/v1/completions", json=form).json()
    assert (answer["object"], answer["choices"][0]["finish_reason"]) == ("text_completion", "length")
    assert answer["usage"]["completion_tokens"] == 3
    chunks = events(ollama.post("/v1/completions", json={**form, "stream": True}).text)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == answer["choices"][0]["text"]
    assert ollama.post("/v1/completions", json={**form, "model": "missing"}).status_code == 404
    assert ollama.post("/v1/completions", content=b"{").status_code == 400
    behaviour.fail_stream_with = "runner died"
    longer = {**form, "max_tokens": 20}
    assert ollama.post("/v1/completions", json=longer).status_code == 500
    assert "runner died" in ollama.post("/v1/completions", json={**longer, "stream": True}).text
