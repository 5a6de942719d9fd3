"""A person at the browser: signs in, picks models, types, clicks, and reads what the page says."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.servers import EMAIL, PASSWORD

# The flags with which Debian's Chromium runs as root on a machine without a screen or a way to the internet.
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER_MILLISECONDS = 30_000
# A machine with few cores runs the server, the doubles and the browser at once.
expect.set_options(timeout=15_000)


class Person:
    """One user with one browser window, signed in unless there is no login."""

    def __init__(self, context: BrowserContext, url: str, email: str | None, screenshots: Path) -> None:
        self._screenshots = screenshots
        self.page: Page = context.new_page()
        self.url = url
        self.page.goto(f"{url}/auth" if email else url)
        if email:
            self.page.get_by_placeholder("Enter Your Email").fill(email)
            self.page.get_by_placeholder("Enter Your Password").fill(PASSWORD)
            self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.locator("#chat-input").wait_for()
        self.close_news()

    def close_news(self) -> None:
        """Close the list of what is new, which a user sees once."""
        button = self.page.get_by_role("button", name="Okay, Let's Go!")
        try:
            button.wait_for(timeout=4_000)
        except PlaywrightTimeout:
            return
        button.click()

    def new_chat(self, model_id: str = "rightsize-auto") -> None:
        """Open an empty chat with one model selected, or with none chosen."""
        self.page.goto(f"{self.url}/?models={model_id}" if model_id else self.url)
        self.page.locator("#chat-input").wait_for()
        self.page.locator("#model-selector-model-button").first.wait_for()
        # The page keeps setting up the new chat for a moment without showing when it is done.
        self.page.wait_for_timeout(800)

    def open_model_menu(self) -> None:
        """Open the menu of models."""
        self.page.locator("#model-selector-model-button").first.click()
        self.page.get_by_role("option").first.wait_for()

    def pick(self, name: str) -> None:
        """Pick a model in the menu."""
        self.open_model_menu()
        self._choose(name)
        expect(self.page.locator("#model-selector-model-button").first).to_contain_text(name)

    def pick_two(self, first: str, second: str) -> None:
        """Pick two models to compare side by side."""
        self.pick(first)
        self.open_model_menu()
        self.page.get_by_role("button", name="Compare", exact=True).click()
        self._choose(second)
        self.page.keyboard.press("Escape")

    def _choose(self, name: str) -> None:
        # The menu shows only as many models as fit, so the name is searched for.
        self.page.get_by_placeholder("Search a model").fill(name)
        self.page.get_by_role("option", name=f"Select {name} model", exact=True).click()

    def attach(self, path: Path) -> None:
        """Attach a file to the message that is being written."""
        self.page.locator("input[type=file]").first.set_input_files(path)
        expect(self.page.get_by_text(path.name).or_(self.page.get_by_role("img", name="input"))).to_be_visible()

    def say(self, text: str) -> None:
        """Type a message and send it."""
        box = self.page.locator("#chat-input")
        box.click()
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Enter")

    def mention(self, name: str, text: str) -> None:
        """Send a message to another model by @mentioning it."""
        self.page.locator("#chat-input").click()
        # A space would end the mention, so its first word has to find the model.
        self.page.keyboard.type(f"@{name.split()[0]}")
        self.page.locator("#suggestions-container, .tippy-box, [role=listbox]").get_by_text(name).first.wait_for()
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Enter")

    def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait until a text is on the page."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=ANSWER_MILLISECONDS)

    def sees_chat_title(self, title: str) -> None:
        """Wait until the chat has been given its title: the last thing a model is asked for it, or nearly."""
        expect(self.page).to_have_title(re.compile(re.escape(title)), timeout=ANSWER_MILLISECONDS)

    def screenshot(self, name: str) -> None:
        """Keep a picture of the page, once all notices are gone."""
        expect(self.page.get_by_role("button", name="Close toast")).to_have_count(0, timeout=10_000)
        self.page.wait_for_timeout(600)
        self.page.screenshot(path=self._screenshots / f"{name}.png")


@contextmanager
def person_at(browser: Browser, url: str, screenshots: Path, email: str | None = EMAIL) -> Iterator[Person]:
    """A person at an Open WebUI: its administrator, or whoever comes where there is no login (no email)."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    yield Person(context, url, email, screenshots)
    context.close()
