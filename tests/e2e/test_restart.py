"""After a restart the guard is in place before the first chat."""

from pathlib import Path

from installer.install import install
from tests.e2e.conftest import Backends
from tests.servers import open_webui

PRIVATE = "My name is Ada Restartcanary, call me on +44 20 7946 0958."


def test_what_is_asked_before_the_first_chat_is_checked(backends: Backends, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_webui(data, **backends.environment()) as client:
        install(client, {})
    backends.ollama_behaviour.requests.clear()
    with open_webui(data, **backends.environment()) as client:
        # The page lists the models as it opens; then a title is asked for, past all filters.
        client.call("GET", "/api/models")
        form = {"model": "demo-cloud-pro", "messages": [{"role": "user", "content": PRIVATE}]}
        client.call("POST", "/api/v1/tasks/title/completions", json=form)
    assert "Restartcanary" in backends.sent_to_ollama()
    assert "Restartcanary" not in backends.sent_to_cloud()
