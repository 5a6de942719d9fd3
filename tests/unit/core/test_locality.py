"""Local or cloud: whatever is not known to be local is cloud."""

from typing import Any

import pytest

from rightsize.locality import Connection, Connections, Location, host_of, is_private_host, locate
from rightsize.settings import RoutingSettings
from tests.unit.core.build import CONNECTIONS, ollama_entry, openai_entry

LOCAL, CLOUD = Location.LOCAL, Location.CLOUD
DEFAULTS = RoutingSettings()


def ollama_at(url: str, mark: str | None = None) -> Connections:
    return Connections(ollama=(Connection(url, mark),))


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://localhost:11434", LOCAL),
        ("http://127.0.0.1:11434", LOCAL),
        ("http://[::1]:11434", LOCAL),
        ("http://ollama:11434", LOCAL),
        ("http://host.docker.internal:11434", LOCAL),
        ("http://gpu-box.lan:11434", LOCAL),
        ("http://192.168.1.20:11434", LOCAL),
        ("http://10.0.0.3", LOCAL),
        ("192.168.1.20:11434", LOCAL),
        ("http://8.8.8.8:11434", CLOUD),
        ("https://ollama.com", CLOUD),
        ("https://ollama.example.org", CLOUD),
        ("http://0.0.0.0:11434", CLOUD),
        ("http://192.168.1.20.example.org", CLOUD),
        ("http://localhost.example.org", CLOUD),
        ("http://user:localhost@example.org", CLOUD),
        ("", CLOUD),
        ("http://[broken", CLOUD),
    ],
)
def test_an_ollama_is_local_only_on_a_private_host(url: str, where: Location) -> None:
    assert locate(ollama_entry("llama3.2:3b"), ollama_at(url), DEFAULTS) is where


@pytest.mark.parametrize(
    "entry",
    [
        ollama_entry("gpt-oss:120b-cloud"),
        ollama_entry("kimi-k2:cloud"),
        ollama_entry("mine:latest", remote_host="https://ollama.com:443"),
        ollama_entry("mine:latest", remote_model="gpt-oss:120b"),
    ],
)
def test_an_ollama_cloud_model_is_cloud_on_any_host(entry: dict[str, Any]) -> None:
    assert locate(entry, CONNECTIONS, DEFAULTS) is CLOUD
    assert locate(entry, CONNECTIONS, RoutingSettings(local_hosts="127.0.0.1")) is CLOUD


def test_an_ollama_marked_external_is_cloud_until_its_host_is_vouched_for() -> None:
    connections = ollama_at("http://192.168.1.20:11434", "external")
    assert locate(ollama_entry("m:3b"), connections, DEFAULTS) is CLOUD
    assert locate(ollama_entry("m:3b"), connections, RoutingSettings(local_hosts="192.168.1.20")) is LOCAL


def test_a_model_that_two_ollamas_serve_is_local_only_if_both_are() -> None:
    connections = Connections(ollama=(Connection("http://localhost:11434"), Connection("https://ollama.example.org")))
    assert locate(ollama_entry("m:3b", urls=[0, 1]), connections, DEFAULTS) is CLOUD
    assert locate(ollama_entry("m:3b", urls=[0]), connections, DEFAULTS) is LOCAL


@pytest.mark.parametrize("urls", [None, [], [7], ["0"], [-1], "0"])
def test_an_ollama_model_without_a_known_connection_is_cloud(urls: object) -> None:
    assert locate(ollama_entry("m:3b", urls=urls), CONNECTIONS, DEFAULTS) is CLOUD


@pytest.mark.parametrize(
    ("connection", "hosts", "where"),
    [
        (Connection("https://api.openai.com/v1"), "", CLOUD),
        (Connection("http://127.0.0.1:4000/v1"), "", CLOUD),
        (Connection("http://192.168.1.9:8000/v1", "external"), "", CLOUD),
        (Connection("http://192.168.1.9:8000/v1", "local"), "", LOCAL),
        (Connection("http://127.0.0.1:4000/v1"), "127.0.0.1", LOCAL),
        (Connection("http://VLLM.lan:8000/v1"), "gpu.lan, vllm.LAN", LOCAL),
        (Connection("http://evil-127.0.0.1.example.org/v1"), "127.0.0.1", CLOUD),
    ],
)
def test_an_openai_connection_is_local_only_by_an_administrators_word(
    connection: Connection, hosts: str, where: Location
) -> None:
    settings = RoutingSettings(local_hosts=hosts)
    assert locate(openai_entry("m"), Connections(openai=(connection,)), settings) is where


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"id": "m"},
        openai_entry("m", urlIdx=None),
        openai_entry("m", urlIdx=5),
        openai_entry("m", urlIdx="0"),
        {**ollama_entry("m:3b"), "pipe": {"type": "pipe"}},
        {**ollama_entry("m:3b"), "direct": True},
        {"id": "m", "owned_by": "arena"},
        {"id": "m", "owned_by": "ollama"},
    ],
)
def test_whatever_is_not_known_is_cloud(entry: dict[str, Any]) -> None:
    assert locate(entry, CONNECTIONS, RoutingSettings(local_hosts="127.0.0.1")) is CLOUD


def test_hosts() -> None:
    assert host_of("http://LocalHost:1/x") == "localhost"
    assert not is_private_host("")
    assert is_private_host("box.home.arpa")
    assert not is_private_host("box.home.arpa.example.org")
