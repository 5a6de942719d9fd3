"""One installed Open WebUI for the whole run, with doubles behind it and a browser before it."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from demo import cloud, ollama
from demo.cloud import CloudBehaviour
from demo.ollama import Behaviour
from installer.client import OpenWebUIClient
from installer.install import install
from tests.e2e.browser import CHROMIUM, CHROMIUM_FLAGS, Person, person_at
from tests.servers import PASSWORD, LoopThread, Relay, Served, free_port, open_webui

USER_EMAIL = "user@rightsize.test"


@dataclass
class Backends:
    """The doubles: Ollama, and the cloud behind the relay that writes down what it is sent."""

    ollama: Served
    ollama_behaviour: Behaviour
    cloud: Served
    cloud_behaviour: CloudBehaviour
    relay: Relay

    def environment(self) -> dict[str, str]:
        """What tells an Open WebUI where they are."""
        return {
            "OLLAMA_BASE_URL": self.ollama.url,
            "OPENAI_API_BASE_URL": f"http://127.0.0.1:{self.relay.port}/v1",
            "OPENAI_API_KEY": "a-key-for-tests",
            "RAG_EMBEDDING_ENGINE": "ollama",
            "RAG_EMBEDDING_MODEL": "demo-embed:latest",
            "RAG_OLLAMA_BASE_URL": self.ollama.url,
        }

    def sent_to_cloud(self) -> str:
        """Every byte the cloud has been sent, with JSON's escapes undone as well as not."""
        raw = self.relay.sent.decode("utf-8", "replace")
        return raw + "\n" + raw.encode("ascii", "ignore").decode("unicode_escape", "ignore")

    def sent_to_ollama(self) -> str:
        """Every body the Ollama double has been sent."""
        return json.dumps(self.ollama_behaviour.requests, ensure_ascii=False)


def make_backends() -> Backends:
    """Start the doubles and the relay."""
    ollama_behaviour, cloud_behaviour = Behaviour(), CloudBehaviour()
    served_ollama = Served(ollama.create_app(behaviour=ollama_behaviour), free_port())
    served_cloud = Served(cloud.create_app(behaviour=cloud_behaviour), free_port())
    served_ollama.start()
    served_cloud.start()
    relay = Relay(served_cloud.port)
    LoopThread().run(relay.serve())
    return Backends(served_ollama, ollama_behaviour, served_cloud, cloud_behaviour, relay)


@pytest.fixture(scope="session")
def backends() -> Iterator[Backends]:
    """The doubles of the installed Open WebUI."""
    made = make_backends()
    yield made
    made.ollama.stop()
    made.cloud.stop()


@pytest.fixture(autouse=True)
def well_behaved(backends: Backends) -> Iterator[None]:
    """Undo after each test what it told the doubles to get wrong."""
    yield
    behaviour = backends.ollama_behaviour
    behaviour.cut_stream_after = behaviour.fail_stream_with = behaviour.refuse_with = None
    behaviour.seconds_per_piece = 0.0
    backends.cloud_behaviour.cut_stream_after = None
    backends.ollama.start()


@dataclass
class Installed:
    """An Open WebUI with Rightsize installed in it: its administrator's client, and its data."""

    client: OpenWebUIClient
    data: Path

    @property
    def log(self) -> str:
        """All that the server has logged."""
        return self.data.with_name(f"{self.data.name}.log").read_text(encoding="utf-8", errors="replace")


@pytest.fixture(scope="session")
def installed(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """An Open WebUI with Rightsize installed in it."""
    data = tmp_path_factory.mktemp("installed") / "data"
    with open_webui(data, **backends.environment()) as client:
        install(client, {})
        yield Installed(client, data)


@pytest.fixture(scope="session")
def admin(installed: Installed) -> OpenWebUIClient:
    """The administrator of the installed Open WebUI."""
    return installed.client


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", CHROMIUM)
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(pytestconfig: pytest.Config) -> Path:
    """Where pictures are kept."""
    folder: Path = pytestconfig.getoption("--screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def person(chromium: Browser, admin: OpenWebUIClient, screenshots: Path) -> Iterator[Person]:
    """The administrator at the browser."""
    with person_at(chromium, admin.url, screenshots) as person:
        yield person


TOOL = """
class Tools:
    def look_up_customer(self, number: str = "7") -> str:
        \"\"\"Look a customer up by number.

        :param number: the customer's number
        \"\"\"
        return "Customer 7: Ottoline Toolcanary, +44 20 7946 0177, ottoline@toolcanary.example"
"""


@pytest.fixture(scope="session")
def tool(admin: OpenWebUIClient) -> str:
    """The id of a tool that answers with personal data."""
    form = {"id": "customers", "name": "Customers", "content": TOOL, "meta": {"description": "Customers"}}
    admin.call("POST", "/api/v1/tools/create", json=form)
    return "customers"


@pytest.fixture(scope="session")
def user(admin: OpenWebUIClient) -> Iterator[OpenWebUIClient]:
    """An ordinary user, who has access to no model but Rightsize's."""
    account = {"name": "User", "email": USER_EMAIL, "password": PASSWORD, "role": "user"}
    admin.call("POST", "/api/v1/auths/add", json=account)
    client = OpenWebUIClient(admin.url)
    session = client.call("POST", "/api/v1/auths/signin", json={"email": USER_EMAIL, "password": PASSWORD})
    client.authorize(session["token"])
    yield client
    client.close()
