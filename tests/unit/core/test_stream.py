"""Whether a stream came to its end."""

import json

import pytest

from rightsize.catalogue import Backend
from rightsize.stream import ends_answer, error_event, event_payload


@pytest.mark.parametrize(
    ("line", "payload"),
    [
        (b'data: {"a": 1}\n\n', '{"a": 1}'),
        ("data:[DONE]", "[DONE]"),
        (": ping", ""),
        ("event: x", ""),
        (b"", ""),
        (b"data: \xff", "\ufffd"),
    ],
)
def test_payloads(line: bytes | str, payload: str) -> None:
    assert event_payload(line) == payload


@pytest.mark.parametrize(
    ("payload", "finished"),
    [
        ('{"choices": [{"delta": {}, "finish_reason": "stop"}]}', True),
        ('{"choices": [{"delta": {"content": "x"}, "finish_reason": null}]}', False),
        ('{"choices": [{"delta": {"content": "\\"finish_reason\\": \\"stop\\""}}]}', False),
        ('{"error": {"message": "out of memory"}}', True),
        ('{"error": null, "choices": []}', False),
        ('{"type": "response.completed"}', True),
        ('{"finish_reason"', False),
        ('["finish_reason"]', False),
        ("", False),
    ],
)
def test_ends(payload: str, finished: bool) -> None:
    assert ends_answer(payload, Backend.OPENAI) is finished


@pytest.mark.parametrize(
    ("payload", "finished"),
    [
        ('{"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}', True),
        ('{"choices": [{"delta": {}, "finish_reason": "stop"}]}', False),
        ('{"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": null}', False),
        ('{"error": {"message": "out of memory"}}', True),
    ],
)
def test_only_usage_ends_an_answer_of_ollama(payload: str, finished: bool) -> None:
    assert ends_answer(payload, Backend.OLLAMA) is finished


def test_an_error_in_the_stream() -> None:
    event = error_event('He said "no".')
    assert event.endswith("\n\n")
    assert json.loads(event_payload(event)) == {"error": {"message": 'He said "no".'}}
