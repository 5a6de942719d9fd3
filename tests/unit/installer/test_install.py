"""The installer against an Open WebUI that is a dictionary."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from installer.__main__ import app
from installer.client import is_address
from installer.errors import InstallError
from installer.install import PRESETS, ROUTES, install, install_presets, read_json, set_valves
from rightsize.routing import Route
from tests.unit.installer.fake_open_webui import FakeOpenWebUI


@pytest.fixture
def fake() -> FakeOpenWebUI:
    return FakeOpenWebUI()


def test_everything_is_put_in_place(fake: FakeOpenWebUI) -> None:
    install(fake.client(), {"rightsize": {"auto_may_use_cloud": False}})
    assert {name: (f["is_active"], f["is_global"]) for name, f in fake.functions.items()} == {
        "rightsize": (True, False),
        "privacy_guard": (True, True),
    }
    assert fake.valves == {"rightsize": {"auto_may_use_cloud": False}}
    assert {f"rightsize.{route}" for route in ROUTES} < set(fake.models)
    assert len(fake.models) == len(ROUTES) + len(list(PRESETS.glob("*.json")))
    assert fake.configs["DEFAULT_MODELS"] == "rightsize-auto"
    assert fake.configs["MODEL_ORDER_LIST"][0] == "rightsize-auto"


def test_no_valves_are_no_work(fake: FakeOpenWebUI) -> None:
    assert set_valves(fake.client(), {"rightsize": {}}) == []


def test_installing_again_updates_functions_and_keeps_what_was_changed(fake: FakeOpenWebUI) -> None:
    client = fake.client()
    install(client, {"rightsize": {"small_up_to_billion": 4}})
    fake.models["rightsize-auto"]["name"] = "My Auto"
    fake.functions["rightsize"]["content"] = "old"
    fake.configs["DEFAULT_MODELS"] = "gpt-5"
    done = install(client, {"rightsize": {"excluded_models": "a"}})
    assert fake.models["rightsize-auto"]["name"] == "My Auto"
    assert fake.functions["rightsize"]["content"] != "old"
    assert fake.functions["privacy_guard"]["is_global"]
    assert fake.valves["rightsize"] == {"small_up_to_billion": 4, "excluded_models": "a"}
    assert fake.configs["DEFAULT_MODELS"] == "gpt-5"
    assert not any("imported" in line for line in done)


def test_a_preset_that_was_deleted_comes_back(fake: FakeOpenWebUI) -> None:
    install(fake.client(), {})
    del fake.models["rightsize-coder"]
    assert install_presets(fake.client()) == ["preset Coder imported"]


def test_a_valve_that_is_refused_is_named(fake: FakeOpenWebUI) -> None:
    install(fake.client(), {})
    with pytest.raises(
        InstallError, match="was refused \\(400\\): The Rightsize valve 'tier_overrides' cannot be used"
    ):
        set_valves(fake.client(), {"rightsize": {"tier_overrides": "x"}})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "https://chat.example.org/x", "http://[::1]:8080", "http://ollama"]
)
def test_addresses(url: str) -> None:
    assert is_address(url)


@pytest.mark.parametrize("valves", [[1], {"rightsize": 1}, "x"])
def test_valves_of_another_form_are_refused(fake: FakeOpenWebUI, valves: Any) -> None:
    with pytest.raises(InstallError, match="must be of the form"):
        set_valves(fake.client(), valves)


def test_signing_in_needs_an_administrator(fake: FakeOpenWebUI) -> None:
    with pytest.raises(InstallError, match="give the email and password"):
        fake.client().sign_in("", "")
    fake.role = "user"
    with pytest.raises(InstallError, match="is not an administrator"):
        fake.client().sign_in("a@example.org", "x")
    fake.role = "admin"
    fake.features = {"features": {"auth": True}, "onboarding": True}
    fake.client().sign_in("a@example.org", "x")
    assert fake.posts[-1] == "/api/v1/auths/signup"


def test_a_server_that_is_no_open_webui_is_one_sentence(fake: FakeOpenWebUI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "_route", lambda *_: httpx.Response(200, text="<html>"))
    with pytest.raises(InstallError, match="answers, but not as Open WebUI does"):
        fake.client().sign_in("a@example.org", "x")


def test_an_open_webui_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["install", "--url", "http://127.0.0.1:9", "--wait", "0.1"])
    assert run.exit_code == 1
    assert run.output == "Not installed: http://127.0.0.1:9 did not come up within 0 seconds.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--valves", "{"], "--valves cannot be read as JSON"),
        (["--valves-file", "missing.json"], "missing.json cannot be read: No such file or directory"),
        (["--url", "http://[oops"], "'http://[oops' is not an address"),
        (["--url", "chat.example.org"], "'chat.example.org' is not an address"),
        (["--url", "http://localhost:port"], "'http://localhost:port' is not an address"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments: list[str], words: str) -> None:
    run = CliRunner().invoke(app, ["install", *arguments])
    assert run.exit_code == 1
    assert words in run.output
    assert "Traceback" not in run.output


def test_the_installer_knows_every_route() -> None:
    assert tuple(Route) == ROUTES


def test_the_presets_are_importable_and_rest_on_the_manifold() -> None:
    presets = [preset for path in sorted(PRESETS.glob("*.json")) for preset in read_json(path)]
    assert [preset["name"] for preset in presets] == [
        "Auto", "Coder", "Deep work", "Frontier", "Private", "Quick assistant", "Writer",
    ]  # fmt: skip
    for preset in presets:
        assert preset["base_model_id"] in {f"rightsize.{route}" for route in ROUTES}
        assert preset["params"]["system"]
        assert 0 <= preset["params"]["temperature"] <= 2
        assert preset["meta"]["suggestion_prompts"]
        assert preset["base_model_id"] == "rightsize.frontier" or preset["params"]["num_ctx"] >= 4096
    private = next(preset for preset in presets if preset["name"] == "Private")
    assert private["base_model_id"] == "rightsize.local"
