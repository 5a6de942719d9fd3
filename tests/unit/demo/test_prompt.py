"""What does not fit the context: dropped without a word, or refused."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.ollama import Behaviour
from demo.ollama.errors import OllamaError
from demo.ollama.prompt import IMAGE_TOKENS, count_tokens, fit_prompt
from tests.unit.demo.build import MEDIUM, SMALL, chat, last

SYSTEM = {"role": "system", "content": "Begin every answer with BANANA."}
LONG = {"role": "user", "content": "word " * 3000}
REPLY = {"role": "assistant", "content": "ok"}
SHORT = {"role": "user", "content": "Say hi."}


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("word " * 100, 100, 101),
        ("Say hi.", 3, 3),
        ("今天天气很好", 4, 6),
        ("1234567890", 10, 10),
        ("internationalization", 2, 5),
        ("x = [1, 2]\n", 7, 9),
    ],
)
def test_tokens(text: str, least: int, most: int) -> None:
    assert least <= count_tokens(text) <= most


def test_the_oldest_messages_are_dropped_and_system_prompts_stay() -> None:
    prompt = fit_prompt([SYSTEM, LONG, REPLY, SHORT], [], 2048)
    assert prompt.messages == (SYSTEM, REPLY, SHORT)
    assert prompt.dropped == (LONG,)
    assert prompt.tokens < 60
    assert fit_prompt([LONG, REPLY, SHORT], [], 4096).dropped == ()


def test_images_and_tools_take_room() -> None:
    picture = {**SHORT, "images": ["aGk="]}
    bare = fit_prompt([SHORT], [], 4096).tokens
    assert fit_prompt([picture], [], 4096).tokens == bare + IMAGE_TOKENS
    tools = [{"type": "function", "function": {"name": f"tool_{i}", "description": "word " * 50}} for i in range(20)]
    assert fit_prompt([SHORT], tools, 4096).tokens > bare + 1000
    assert fit_prompt([REPLY, SHORT], tools, fit_prompt([SHORT], tools, 4096).tokens + 1).dropped == (REPLY,)


def test_a_prompt_that_leaves_no_room_for_an_answer_is_refused() -> None:
    tokens = fit_prompt([SHORT], [], 4096).tokens
    assert fit_prompt([SHORT], [], tokens + 1).tokens == tokens
    with pytest.raises(OllamaError, match="exceed_context_size_error"):
        fit_prompt([SHORT], [], tokens)


def test_no_tools_answer_is_left_without_the_call_that_it_answers() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    first, second = {"role": "tool", "content": "word " * 900}, {"role": "tool", "content": "short"}
    assert fit_prompt([LONG, call, first, second, SHORT], [], 2048).dropped == (LONG,)
    assert fit_prompt([LONG, call, first, second, SHORT], [], 500).dropped == (LONG, call, first, second)
    # A tool's answer to nobody is a message like any other.
    assert fit_prompt([LONG, second, SHORT], [], 500).dropped == (LONG,)


def test_a_lost_message_is_in_the_reply_and_the_record(ollama: TestClient, behaviour: Behaviour) -> None:
    form: dict[str, Any] = {"messages": [LONG, REPLY, SHORT], "options": {"num_ctx": 2048}, "stream": False}
    text = last(ollama, **form)["message"]["content"]
    assert "1 earlier message did not fit its context of 2048 tokens and was dropped." in text
    (request,) = behaviour.requests
    assert request["dropped_messages"] == [LONG]
    assert request["context_length"] == 2048
    assert 0 < request["prompt_tokens"] < 100
    assert last(ollama, **form)["prompt_eval_count"] == request["prompt_tokens"]


@pytest.mark.parametrize(
    "more", [{"messages": [LONG]}, {"messages": [LONG, REPLY, SHORT], "truncate": False}], ids=["alone", "truncate"]
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_made_to_fit_is_refused(ollama: TestClient, more: dict[str, Any], stream: bool) -> None:
    form = {"model": SMALL, "options": {"num_ctx": 2048}, "stream": stream, **more}
    response = ollama.post("/api/chat", json=form)
    assert response.status_code == 400
    assert "exceeds the available context size (2048 tokens)" in response.json()["error"]
    assert '"type":"exceed_context_size_error"' in response.json()["error"]


def test_tools_alone_can_be_too_much(ollama: TestClient) -> None:
    tools = [{"type": "function", "function": {"name": f"tool_{i}", "description": "word " * 50}} for i in range(60)]
    form = {"model": MEDIUM, "messages": [SHORT], "tools": tools, "options": {"num_ctx": 2048}}
    assert ollama.post("/api/chat", json=form).status_code == 400


def test_an_answer_ends_where_the_context_is_full(ollama: TestClient) -> None:
    messages = [{"role": "user", "content": "word " * 2030}]
    answer = last(ollama, messages=messages, options={"num_ctx": 2048})
    assert (answer["done_reason"], answer["eval_count"]) == ("length", 10)


def test_num_predict_ends_an_answer(ollama: TestClient) -> None:
    *pieces, end = chat(ollama, options={"num_predict": 2})
    assert (len(pieces), end["done_reason"]) == (2, "length")
    assert last(ollama)["done_reason"] == "stop"
