"""The installer's command against a real Open WebUI that has Rightsize already."""

import pytest
from typer.testing import CliRunner

from installer.__main__ import app
from installer.client import OpenWebUIClient
from tests.servers import EMAIL, PASSWORD


def install(admin: OpenWebUIClient, *arguments: str) -> tuple[int, str]:
    """Run the command; its exit status and output."""
    run = CliRunner().invoke(app, ["install", "--url", admin.url, *arguments])
    return run.exit_code, run.output


def test_what_is_there_is_brought_up_to_date_and_kept(admin: OpenWebUIClient) -> None:
    status, output = install(admin, "--email", EMAIL, "--password", PASSWORD)
    assert status == 0, output
    assert "function Rightsize Privacy Guard updated" in output
    assert "imported" not in output
    guard = admin.functions()["privacy_guard"]
    assert (guard["is_active"], guard["is_global"]) == (True, True)


def test_an_api_key_does_in_place_of_a_password(admin: OpenWebUIClient) -> None:
    config = admin.call("GET", "/api/v1/auths/admin/config")
    admin.call("POST", "/api/v1/auths/admin/config", json={**config, "ENABLE_API_KEYS": True})
    key = admin.call("POST", "/api/v1/auths/api_key")["api_key"]
    status, output = install(admin, "--api-key", key)
    assert (status, "Rightsize is installed." in output) == (0, True), output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--email", EMAIL, "--password", "wrong"], "was refused (400)"),
        (["--api-key", "sk-wrong"], "was refused (401)"),
        ([], "give the email and password of an administrator"),
        (
            ["--email", EMAIL, "--password", PASSWORD, "--valves", '{"rightsize": {"medium_up_to_billion": 1}}'],
            "was refused (400)",
        ),
        (["--email", EMAIL, "--password", PASSWORD, "--valves", '{"nothing": {"a": 1}}'], "was refused"),
    ],
)
def test_what_is_refused_is_said_in_one_sentence(admin: OpenWebUIClient, arguments: list[str], words: str) -> None:
    status, output = install(admin, *arguments)
    assert status == 1
    assert words in output
    assert output.count("Not installed:") == 1
    assert "Traceback" not in output
