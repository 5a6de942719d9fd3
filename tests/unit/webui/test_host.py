"""What of Open WebUI's edge can be tested without it."""

from starlette.requests import Request

from rightsize_webui.host import with_own_state


def test_a_model_call_has_a_state_of_its_own() -> None:
    request = Request({"type": "http", "app": "app", "headers": [(b"a", b"b")]})
    request.state.metadata = {"chat_id": "1"}
    request.state.bypass_system_prompt = False
    own = with_own_state(request)
    own.state.bypass_system_prompt = True
    assert request.state.bypass_system_prompt is False
    assert own.state.metadata is request.state.metadata
    assert (own.app, own.headers["a"]) == ("app", "b")


def test_what_is_no_request_is_left_as_it_is() -> None:
    stand_in = object()
    assert with_own_state(stand_in) is stand_in
