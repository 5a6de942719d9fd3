"""Reading a request, however it is written."""

from typing import Any

import pytest

from rightsize.errors import EmptyMessage
from rightsize.request import parse_request, read_request
from tests.unit.core.build import chat


def test_text_and_images_of_a_message_in_parts() -> None:
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "text", "text": "this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"filename": "letter.pdf"}},
        "not a part",
    ]
    request = read_request({"messages": [{"role": "user", "content": parts}]})
    assert request.questions == ["What is\nthis?"]
    assert request.attachments == ("image", "file")
    assert request.has_images


def test_the_question_is_what_was_typed_not_what_was_put_around_it() -> None:
    body = {
        "messages": [{"role": "user", "content": "Analyze the context in depth.\n<context>x</context>\nWho wrote it?"}]
    }
    assert parse_request(body, typed="Who wrote it?").questions == ["Who wrote it?"]
    assert parse_request(body, typed="Something else").questions[0].startswith("Analyze")
    assert parse_request(body).questions[0].startswith("Analyze")


def test_an_image_in_ollamas_own_format_is_seen() -> None:
    assert read_request({"messages": [{"role": "user", "content": "", "images": ["AAAA"]}]}).has_images


def test_every_string_of_a_message_is_read_for_personal_data() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"to": "ada@example.org"}'}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sent"}], "extra": {"n": 4155}},
    ]
    strings = [text for message in read_request({"messages": messages}).messages for text in message.strings]
    assert '{"to": "ada@example.org"}' in strings
    assert "sent" in strings
    assert "4155" in strings
    assert "call_1" not in strings


def test_only_base64_data_is_passed_over() -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": f"{url} is my photo"}]
    messages = [{"role": "user", "content": parts}, {"role": "user", "content": "data: call +44 20 7946 0958"}]
    strings = [text for message in read_request({"messages": messages}).messages for text in message.strings]
    assert strings == [f"{url} is my photo", "data: call +44 20 7946 0958"]


def test_tools_on_offer_are_seen() -> None:
    assert chat("x", tools=[{"type": "function"}]).offers_tools
    assert not chat("x", tools=[]).offers_tools
    with_tool = chat("xxxx", tools=[{"type": "function", "function": {"name": "look_up", "description": "x" * 400}}])
    assert with_tool.tokens == chat("xxxx").tokens
    assert with_tool.tokens_with_tools > with_tool.tokens + 100


@pytest.mark.parametrize("tools", ["x", 7, {"a": 1}, [None], [object()]])
def test_tools_of_another_form_are_no_error(tools: object) -> None:
    assert chat("x", tools=tools).offers_tools


def test_tokens_are_estimated_from_bytes() -> None:
    assert chat("a" * 400).tokens == 100
    assert chat("東" * 100).tokens == 75
    assert chat("\ud800").tokens == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": []},
        {"messages": ["text", 3, None]},
        {"messages": [{"role": "system", "content": "You are helpful."}]},
        {"messages": [{"role": "user", "content": "  \n\t"}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": 12}]},
    ],
)
def test_an_empty_request_is_refused_in_one_sentence(body: dict[str, Any]) -> None:
    with pytest.raises(EmptyMessage, match=r"^The message is empty: .* send it again\.$"):
        parse_request(body)


def test_images_take_room() -> None:
    with_image = read_request({"messages": [{"role": "user", "content": "x", "images": ["AAAA", "AAAA"]}]})
    assert with_image.tokens == chat("x").tokens + 2 * 768


def test_an_image_alone_is_not_empty() -> None:
    parse_request({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})
