"""A user's own access decides: a model that the user may not use is never chosen."""

import pytest

from installer.client import OpenWebUIClient
from tests.e2e.api import answer, chat, grant
from tests.e2e.conftest import Backends

PRIVATE = "My name is Ada Accesscanary, call me on +44 20 7946 0958."


@pytest.fixture(scope="module")
def user_id(user: OpenWebUIClient) -> str:
    """The ordinary user's id."""
    return str(user.call("GET", "/api/v1/auths/")["id"])


def names(client: OpenWebUIClient) -> set[str]:
    """The names of the models that a user sees."""
    return {model["name"] for model in client.call("GET", "/api/models")["data"]}


def test_everyone_sees_the_presets_and_routes_and_nothing_more(user: OpenWebUIClient) -> None:
    presets = {"Auto", "Coder", "Deep work", "Frontier", "Private", "Quick assistant", "Writer"}
    routes = {f"Rightsize {route}" for route in ("Auto", "Small", "Medium", "Large", "Frontier", "Local")}
    assert names(user) == presets | routes


def test_a_user_without_a_model_is_told_so(user: OpenWebUIClient) -> None:
    error = chat(user, "rightsize-auto", "What time zone is Tokyo in?")["error"]["detail"]
    assert error == "No local model is available: start Ollama and pull a model, or pick Frontier to use the cloud."
    error = chat(user, "rightsize-frontier", "How far is the moon?")["error"]["detail"]
    assert error.startswith("No cloud model is available to you: ask an administrator")


def test_only_what_was_granted_is_chosen(admin: OpenWebUIClient, user: OpenWebUIClient, user_id: str) -> None:
    grant(admin, "demo-large:32b", user_id)
    assert "This is demo-large:32b" in answer(user, "rightsize-auto", "What time zone is Tokyo in?")
    grant(admin, "demo-small:3b", user_id)
    assert "This is demo-small:3b" in answer(user, "rightsize-auto", "What time zone is Tokyo in?")


def test_a_user_with_only_a_cloud_model_cannot_send_it_personal_data(
    admin: OpenWebUIClient, user: OpenWebUIClient, user_id: str, backends: Backends
) -> None:
    grant(admin, "demo-large:32b", None)
    grant(admin, "demo-small:3b", None)
    grant(admin, "demo-cloud-pro", user_id)
    assert "This is demo-cloud-pro" in answer(user, "rightsize-frontier", "How far is the moon?")
    error = chat(user, "rightsize-frontier", PRIVATE)["error"]["detail"]
    assert error.startswith("This message was not sent, because it holds a name and a phone number and no local model")
    with pytest.raises(Exception, match="This message was not sent"):
        answer(user, "demo-cloud-pro", PRIVATE)
    assert "Accesscanary" not in backends.sent_to_cloud()
