"""The compose file beyond its schema, which scripts/test checks: what it names is there."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_services_and_profiles(compose: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles", []) for name, service in compose["services"].items()}
    assert profiles == {
        "ollama-cpu": ["cpu"],
        "ollama-gpu": ["gpu"],
        "open-webui": [],
        "installer": [],
        "litellm": ["litellm"],
    }
    assert "COMPOSE_PROFILES=cpu\n" in (ROOT / ".env").read_text()


def test_both_ollamas_answer_to_the_address_that_open_webui_asks(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["open-webui"]["environment"]["OLLAMA_BASE_URL"] == "http://ollama:11434"
    for name in ("ollama-cpu", "ollama-gpu"):
        assert services[name]["networks"]["default"]["aliases"] == ["ollama"]


def test_every_file_that_is_mounted_or_copied_is_there(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    for mount in mounts:
        source = mount.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
    build = compose["services"]["installer"]["build"]
    dockerfile = (ROOT / build["dockerfile"]).read_text()
    copied = re.findall(r"^COPY (\S+)", dockerfile, re.MULTILINE)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert path.split("/")[0] in allowed


def test_the_installers_image_holds_what_the_installer_imports() -> None:
    requirements = re.findall(r"^([a-z]+)", (ROOT / "installer/requirements.txt").read_text(), re.MULTILINE)
    sources = (ROOT / "installer").rglob("*.py")
    imported = {
        name for path in sources for name in re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
    }
    assert imported - {*sys.stdlib_module_names, "installer"} == set(requirements)


def test_open_webui_is_served_to_this_machine_only(compose: dict[str, Any]) -> None:
    assert compose["services"]["open-webui"]["ports"] == ["127.0.0.1:${OPEN_WEBUI_PORT:-8080}:8080"]
    assert all("ports" not in service for name, service in compose["services"].items() if name != "open-webui")
