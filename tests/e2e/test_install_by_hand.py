"""An administrator installs Rightsize from the admin panel, with nothing but its JSON files."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import Person, person_at
from tests.e2e.conftest import Backends
from tests.servers import open_webui

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "dist" / "functions.json"
PRESETS = ROOT / "dist" / "presets.json"


@pytest.fixture(scope="module")
def newcomer(
    chromium: Browser, backends: Backends, screenshots: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Person]:
    """The administrator of an Open WebUI that has never heard of Rightsize."""
    data = tmp_path_factory.mktemp("by-hand") / "data"
    with open_webui(data, **backends.environment()) as client, person_at(chromium, client.url, screenshots) as person:
        yield person


def import_json(page: Page, path: Path) -> None:
    """Choose a file under Import JSON."""
    page.get_by_role("button", name="Open create menu").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import JSON").click()
    chooser.value.set_files(path)


def notice(page: Page, text: str) -> None:
    """Wait for a notice, and close it."""
    expect(page.get_by_text(text)).to_be_visible()
    page.get_by_role("button", name="Close toast").first.click()


def test_functions_are_imported_and_switched_on(newcomer: Person) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.url}/admin/functions")
    import_json(page, FUNCTIONS)
    page.get_by_role("button", name="Confirm").click()
    notice(page, "Functions imported successfully")
    for switch in page.get_by_role("switch", name="Enabled").all():
        switch.click()
        expect(switch).to_be_checked()
    page.get_by_role("button", name="Function Menu").nth(1).click()
    page.get_by_role("menu").get_by_role("switch").click()
    newcomer.screenshot("import-functions")
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("switch", name="Enabled")).to_have_count(2)


def test_a_valve_is_set(newcomer: Person) -> None:
    page = newcomer.page
    row = page.get_by_text("Sends every chat to the right-size model").locator("xpath=ancestor::*[.//button][1]")
    row.get_by_role("button", name="Valves").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Default").nth(2).click()
    dialog.get_by_role("textbox", name="Tier Overrides").fill("demo-medium:8b=huge")
    dialog.get_by_role("button", name="Save").click()
    notice(page, "[ERROR: Error updating function valves]")
    dialog.get_by_role("textbox", name="Tier Overrides").fill("demo-medium:8b=small, demo-small:3b=medium")
    newcomer.screenshot("valves")
    dialog.get_by_role("button", name="Save").click()
    notice(page, "Valves updated successfully")


def test_presets_are_imported(newcomer: Person) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.url}/workspace/models")
    import_json(page, PRESETS)
    for name in ("Auto", "Coder", "Deep work", "Frontier", "Private", "Quick assistant", "Writer"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    newcomer.screenshot("import-presets")


def test_the_newcomer_chats_and_the_valve_counts(newcomer: Person) -> None:
    newcomer.new_chat("")
    newcomer.pick("Auto")
    newcomer.say("What time zone is Tokyo in?")
    newcomer.sees("demo-medium:8b answers (small, local): a short, simple question.")
    newcomer.sees("This is demo-medium:8b")


def test_the_guard_is_in_force(newcomer: Person, backends: Backends) -> None:
    newcomer.new_chat("")
    newcomer.pick("demo-cloud-pro")
    newcomer.say("My name is Ada Handcanary, call me on +44 20 7946 0958.")
    newcomer.sees(re.compile("Kept local: demo-medium:8b .* instead of demo-cloud-pro, for a name and a phone number"))
    newcomer.sees("This is demo-medium:8b")
    assert "Handcanary" not in backends.sent_to_cloud()
