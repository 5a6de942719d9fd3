"""Connections: what `up` makes is put in and taken out, and what somebody else made survives all of it."""

from typing import Any

import pytest

from installer.backends import DEMO_CLOUD, DEMO_OLLAMA
from installer.connections import Connection, Wanted, connect_backends, merge
from tests.unit.installer.fake_open_webui import FakeOpenWebUI

OLLAMA = "http://127.0.0.1:11434"
ENGINE = "http://127.0.0.1:11436/v1"
OWN = [DEMO_OLLAMA, DEMO_CLOUD, OLLAMA, ENGINE]

WITH_OLLAMA = Wanted(OLLAMA)
WITH_ENGINE = Wanted(
    None,
    (
        Connection(ENGINE, "secret", {"enable": True, "connection_type": "local", "provider": "llama.cpp"}),
        Connection(DEMO_CLOUD, "demo", {"enable": True, "connection_type": "external"}),
    ),
)
WITH_DEMO = Wanted(DEMO_OLLAMA, (Connection(DEMO_CLOUD, "demo", {"enable": True, "connection_type": "external"}),))
EVERY_BACKEND = pytest.mark.parametrize("wanted", [WITH_OLLAMA, WITH_ENGINE, WITH_DEMO])

GPU_BOX = {"enable": True, "connection_type": "external", "prefix_id": "box", "key": "token"}
OPENROUTER = {"enable": True, "connection_type": "external", "prefix_id": "or", "model_ids": ["a/b"], "tags": []}


@pytest.fixture
def fake() -> FakeOpenWebUI:
    """An Open WebUI with connections of its administrator's, and those that it came with."""
    fake = FakeOpenWebUI()
    fake.connections["ollama"] = {
        "ENABLE_OLLAMA_API": True,
        "OLLAMA_BASE_URLS": ["http://gpu.lan:11434", "http://localhost:11434", "http://old.lan:11434"],
        "OLLAMA_API_CONFIGS": {"0": GPU_BOX, "2": {"enable": False}},
    }
    fake.connections["openai"] = {
        "ENABLE_OPENAI_API": True,
        "OPENAI_API_BASE_URLS": [
            "https://api.openai.com/v1",
            "https://openrouter.ai/api/v1",
            "http://127.0.0.1:1234/v1",
            "https://legacy.example.org/v1",
            "https://off.example.org/v1",
        ],
        "OPENAI_API_KEYS": ["", "key of openrouter", ""],
        "OPENAI_API_CONFIGS": {
            "1": OPENROUTER,
            "https://legacy.example.org/v1": {"prefix_id": "old"},
            "4": {"enable": False},
        },
    }
    return fake


def connect(fake: FakeOpenWebUI, *wanted: Wanted) -> None:
    for each in wanted:
        connect_backends(fake.client(), each, OWN)


def ollama(fake: FakeOpenWebUI) -> dict[str, Any]:
    """Each Ollama connection's config by its URL, in order."""
    form = fake.connections["ollama"]
    return {url: form["OLLAMA_API_CONFIGS"].get(str(at)) for at, url in enumerate(form["OLLAMA_BASE_URLS"])}


def openai(fake: FakeOpenWebUI) -> dict[str, tuple[str, Any]]:
    """Each OpenAI connection's key and config by its URL, in order."""
    form = fake.connections["openai"]
    keys = form["OPENAI_API_KEYS"]
    return {
        url: (keys[at], form["OPENAI_API_CONFIGS"].get(str(at)))
        for at, url in enumerate(form["OPENAI_API_BASE_URLS"])
    }  # fmt: skip


OTHERS_OLLAMA = {"http://gpu.lan:11434": GPU_BOX, "http://old.lan:11434": {"enable": False}}
OTHERS_OPENAI = {
    "https://openrouter.ai/api/v1": ("key of openrouter", OPENROUTER),
    "http://127.0.0.1:1234/v1": ("", None),
    "https://legacy.example.org/v1": ("", {"prefix_id": "old"}),
    "https://off.example.org/v1": ("", {"enable": False}),
}


@EVERY_BACKEND
def test_what_others_made_keeps_its_key_settings_and_order(fake: FakeOpenWebUI, wanted: Wanted) -> None:
    connect(fake, wanted, wanted, WITH_OLLAMA, WITH_ENGINE, WITH_DEMO, WITH_ENGINE, WITH_OLLAMA, wanted)
    kept = {url: config for url, config in ollama(fake).items() if url not in OWN}
    assert list(kept.items()) == list(OTHERS_OLLAMA.items())
    kept_openai = {url: both for url, both in openai(fake).items() if url not in OWN}
    assert list(kept_openai.items()) == list(OTHERS_OPENAI.items())


@pytest.mark.parametrize("before", [WITH_OLLAMA, WITH_ENGINE, WITH_DEMO])
def test_only_what_answers_now_is_connected(fake: FakeOpenWebUI, before: Wanted) -> None:
    connect(fake, WITH_ENGINE, before, WITH_OLLAMA)
    assert [url for url in ollama(fake) if url in OWN] == [OLLAMA]
    assert [url for url in openai(fake) if url in OWN] == []
    connect(fake, before, WITH_ENGINE)
    assert [url for url in ollama(fake) if url in OWN] == []
    assert {url: openai(fake)[url] for url in openai(fake) if url in OWN} == {
        ENGINE: ("secret", {"enable": True, "connection_type": "local", "provider": "llama.cpp"}),
        DEMO_CLOUD: ("demo", {"enable": True, "connection_type": "external"}),
    }
    connect(fake, before, WITH_DEMO)
    assert [url for url in ollama(fake) if url in OWN] == [DEMO_OLLAMA]
    assert [url for url in openai(fake) if url in OWN] == [DEMO_CLOUD]


@EVERY_BACKEND
def test_connecting_again_changes_nothing(fake: FakeOpenWebUI, wanted: Wanted) -> None:
    connect(fake, wanted)
    fake.posts.clear()
    connect(fake, wanted)
    assert fake.posts == []


@EVERY_BACKEND
def test_what_open_webui_came_with_makes_room(fake: FakeOpenWebUI, wanted: Wanted) -> None:
    connect(fake, wanted)
    assert "http://localhost:11434" not in ollama(fake) or wanted is WITH_OLLAMA
    assert "https://api.openai.com/v1" not in openai(fake)


def test_the_default_is_the_ollama_however_loopback_is_written(fake: FakeOpenWebUI) -> None:
    connect(fake, WITH_OLLAMA)
    assert list(ollama(fake)) == ["http://gpu.lan:11434", "http://localhost:11434", "http://old.lan:11434"]


def test_a_default_with_settings_is_somebodys(fake: FakeOpenWebUI) -> None:
    fake.connections["ollama"]["OLLAMA_API_CONFIGS"]["1"] = {"connection_type": "external"}
    fake.connections["openai"]["OPENAI_API_CONFIGS"]["0"] = {"enable": False}
    connect(fake, WITH_ENGINE, WITH_DEMO, WITH_OLLAMA)
    assert ollama(fake)["http://localhost:11434"] == {"connection_type": "external"}
    assert openai(fake)["https://api.openai.com/v1"] == ("", {"enable": False})


def test_what_was_changed_on_an_own_connection_stays_while_it_is_used(fake: FakeOpenWebUI) -> None:
    connect(fake, WITH_ENGINE)
    form = fake.connections["openai"]
    at = str(form["OPENAI_API_BASE_URLS"].index(ENGINE))
    form["OPENAI_API_CONFIGS"][at] = {"connection_type": "external", "prefix_id": "mine"}
    form["OPENAI_API_KEYS"][int(at)] = "an old key"
    connect(fake, WITH_ENGINE)
    key, config = openai(fake)[ENGINE]
    assert key == "secret"
    assert (config["connection_type"], config["prefix_id"]) == ("external", "mine")


def test_switching_an_api_on_does_not_switch_on_what_was_off_with_it(fake: FakeOpenWebUI) -> None:
    fake.connections["openai"]["ENABLE_OPENAI_API"] = False
    fake.connections["ollama"]["ENABLE_OLLAMA_API"] = False
    connect(fake, WITH_DEMO)
    assert fake.connections["openai"]["ENABLE_OPENAI_API"] is True
    assert fake.connections["ollama"]["ENABLE_OLLAMA_API"] is True
    assert openai(fake)["https://openrouter.ai/api/v1"] == ("key of openrouter", {**OPENROUTER, "enable": False})
    assert ollama(fake)["http://gpu.lan:11434"] == {**GPU_BOX, "enable": False}
    assert openai(fake)[DEMO_CLOUD][1]["enable"] is True


def test_an_api_that_is_off_stays_off_while_it_is_not_needed(fake: FakeOpenWebUI) -> None:
    fake.connections["openai"]["ENABLE_OPENAI_API"] = False
    fake.connections["ollama"]["ENABLE_OLLAMA_API"] = False
    connect(fake, WITH_OLLAMA)
    assert fake.connections["openai"]["ENABLE_OPENAI_API"] is False
    fake.connections["ollama"]["ENABLE_OLLAMA_API"] = False
    connect(fake, WITH_ENGINE)
    assert fake.connections["ollama"]["ENABLE_OLLAMA_API"] is False


def test_an_open_webui_as_it_comes() -> None:
    fake = FakeOpenWebUI()
    fake.connections["ollama"] = {"ENABLE_OLLAMA_API": True, "OLLAMA_BASE_URLS": ["http://localhost:11434"]}
    fake.connections["openai"] = {
        "ENABLE_OPENAI_API": True,
        "OPENAI_API_BASE_URLS": ["https://api.openai.com/v1"],
        "OPENAI_API_KEYS": [""],
        "OPENAI_API_CONFIGS": {},
    }
    connect(fake, WITH_ENGINE)
    assert list(ollama(fake)) == []
    assert list(openai(fake)) == [ENGINE, DEMO_CLOUD]
    connect(fake, WITH_OLLAMA)
    assert list(ollama(fake)) == [OLLAMA]
    assert fake.connections["openai"]["ENABLE_OPENAI_API"] is False
    connect(fake, WITH_ENGINE)
    assert fake.connections["openai"]["ENABLE_OPENAI_API"] is True


def test_a_second_connection_to_one_server_is_kept_if_it_has_settings() -> None:
    again = Connection(ENGINE, "k", {"prefix_id": "two"})
    plain = Connection("http://localhost:11436/v1/")
    wanted = Connection(ENGINE, "key", {"enable": True})
    assert merge([plain, again, plain], [wanted], [ENGINE]) == [
        Connection(plain.url, "key", {"enable": True}),
        again,
    ]


@pytest.mark.parametrize("url", ["http://[oops", "", "not a url"])
def test_an_address_that_is_none_is_left_alone(url: str) -> None:
    assert merge([Connection(url)], [], [ENGINE]) == [Connection(url)]
