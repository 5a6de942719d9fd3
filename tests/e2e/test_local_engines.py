"""llama.cpp's server, LM Studio and vLLM behind a real Open WebUI, marked Local and not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from installer.client import OpenWebUIClient
from installer.install import install
from tests.e2e.api import answer, chat
from tests.engines.llama_cpp import Router
from tests.engines.lm_studio import LMStudio
from tests.engines.vllm import Vllm
from tests.servers import Served, free_port, open_webui

PRIVATE = "My name is Ada Enginecanary, call me on +44 20 7946 0958."
# A picture of one dot.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
KEY = "a-key-for-tests"


@dataclass
class Engines:
    """Doubles of the three, as connections of one Open WebUI."""

    client: OpenWebUIClient
    router: Router
    studio: LMStudio
    vllm: Vllm
    urls: list[str]

    def connect(self, *marks: str, **router: Any) -> None:
        """Make them the only connections, marked local or external; `router` is more of the first one's configuration.

        One mark is for all of them.
        """
        all_marks = marks * len(self.urls) if len(marks) == 1 else marks
        configs = {str(i): {"enable": True, "connection_type": mark} for i, mark in enumerate(all_marks)}
        configs["0"] |= router
        form = {
            "ENABLE_OPENAI_API": True,
            "OPENAI_API_BASE_URLS": self.urls,
            "OPENAI_API_KEYS": [KEY] * len(self.urls),
            "OPENAI_API_CONFIGS": configs,
        }
        self.client.call("POST", "/openai/config/update", json=form)
        self.client.call("GET", "/api/models", params={"refresh": "true"})


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """An Open WebUI without Ollama whose connections are marked Local."""
    router, studio, vllm = Router(api_key=KEY), LMStudio(), Vllm()
    router.states["small"] = "loaded"
    served = [Served(double.app, free_port()) for double in (router, studio, vllm)]
    for server in served:
        server.start()
    data = tmp_path_factory.mktemp("engines") / "data"
    try:
        with open_webui(data, ENABLE_OLLAMA_API="false") as client:
            made = Engines(client, router, studio, vllm, [f"{server.url}/v1" for server in served])
            install(client, {})
            made.connect("local")
            yield made
    finally:
        for server in served:
            server.stop()


@pytest.mark.parametrize(
    ("route", "model"),
    [
        # Of the two small ones the smaller is loaded, and so is the medium one that does not see.
        ("rightsize.small", "small"),
        ("rightsize.auto", "small"),
        ("rightsize.medium", "meta-llama-3.1-8b-instruct"),
        ("rightsize.large", "assistant"),
    ],
)
def test_a_model_lands_in_the_tier_of_its_size_and_a_loaded_one_goes_first(
    engines: Engines, route: str, model: str
) -> None:
    assert answer(engines.client, route, "What time zone is Tokyo in?").strip() == f"{model} answers."
    assert engines.router.loads == []


def test_a_long_request_goes_to_one_that_holds_it(engines: Engines) -> None:
    text = "word " * 8000
    # More than the loaded small model holds; how much the other one does is not known before it is loaded.
    assert answer(engines.client, "rightsize.small", text).strip() == "whole answers."
    assert answer(engines.client, "rightsize.medium", text).strip() == "meta-llama-3.1-8b-instruct answers."
    error = chat(engines.client, "rightsize.small", "word " * 45_000)["error"]["detail"]
    assert "exceeds the available context size (32768 tokens)" in error


def test_an_image_goes_to_the_model_that_sees(engines: Engines) -> None:
    parts = [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
    ]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": parts}]}
    assert chat(engines.client, "rightsize.auto", "", **body)["choices"][0]["message"]["content"].startswith("qwen2-vl")


def test_personal_data_may_go_there(engines: Engines) -> None:
    assert answer(engines.client, "rightsize.auto", PRIVATE).strip().endswith("answers.")


def test_personal_data_for_an_unmarked_one_is_moved_to_a_marked_one(engines: Engines) -> None:
    engines.connect("local", "local", "external")
    engines.vllm.clear()
    engines.router.clear()
    assert answer(engines.client, "assistant", "How far is the moon?").strip() == "assistant answers."
    moved = answer(engines.client, "assistant", f"{PRIVATE} Moved.").strip()
    assert moved.endswith("answers.")
    assert not moved.startswith("assistant")
    assert "Enginecanary" not in str(engines.vllm.chats)
    assert engines.vllm.asked == ["POST /v1/chat/completions"]
    assert set(engines.router.keys) == {f"Bearer {KEY}"}


def test_models_listed_by_hand_under_a_prefix_are_known_all_the_same(engines: Engines) -> None:
    """Open WebUI's own list holds nothing of them but their names, which tell no size."""
    engines.router.load_model("small")
    engines.connect("local", prefix_id="home", model_ids=["whole", "small"])
    engines.router.loads.clear()
    assert answer(engines.client, "rightsize.small", "What time zone is Tokyo in?").strip() == "small answers."
    assert engines.router.chats[-1]["model"] == "small"
    assert engines.router.loads == []


def test_unmarked_they_are_cloud_and_asked_for_nothing_but_what_open_webui_asks(engines: Engines) -> None:
    engines.connect("external")
    for double in (engines.router, engines.studio, engines.vllm):
        double.clear()
    error = chat(engines.client, "rightsize.auto", PRIVATE)["error"]["detail"]
    assert error.startswith("This message was not sent, because it holds a name and a phone number")
    for double in (engines.router, engines.studio, engines.vllm):
        assert set(double.asked) <= {"GET /v1/models"}
        assert double.chats == []
