"""The cloud double answers in the form of OpenAI's API."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.cloud import create_app

PRO = "demo-cloud-pro"


def complete(**form: Any) -> Any:
    with TestClient(create_app()) as client:
        return client.post("/v1/chat/completions", json=form)


def test_models() -> None:
    with TestClient(create_app()) as client:
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [PRO, "demo-cloud-mini"]


def test_an_answer_whole_and_streamed() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    whole = complete(model=PRO, messages=messages).json()
    lines = complete(model=PRO, messages=messages, stream=True).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == whole["usage"]


def test_a_tool_call() -> None:
    messages = [{"role": "user", "content": "call get_time"}]
    answer = complete(
        model=PRO, messages=messages, tools=[{"type": "function", "function": {"name": "get_time"}}]
    ).json()
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_time"


@pytest.mark.parametrize(("form", "status"), [({"model": "x", "messages": [1]}, 404), ({"model": PRO}, 400)])
def test_errors(form: dict[str, Any], status: int) -> None:
    response = complete(**form)
    assert response.status_code == status
    assert response.json()["error"]["message"]
