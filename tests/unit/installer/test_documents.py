"""How attached documents are read, with and without a way to the model that searches them."""

from pathlib import Path

import pytest

from installer.documents import EMBEDDING_MODEL, Documents, embedding_model_is_here, hugging_face_answers
from tests.unit.installer.doubles import file_server
from tests.unit.installer.fake_open_webui import FakeOpenWebUI

DEMO = "http://127.0.0.1:11435"
WHOLE = "BYPASS_EMBEDDING_AND_RETRIEVAL"


@pytest.fixture
def fake() -> FakeOpenWebUI:
    return FakeOpenWebUI()


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_CACHE", "SENTENCE_TRANSFORMERS_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hugging-face"))
    return tmp_path / "documents-whole"


def arrange(fake: FakeOpenWebUI, documents: Documents) -> list[str]:
    return documents.arrange(fake.client(), [DEMO])


def test_without_a_way_to_the_model_documents_are_put_in_whole_until_there_is_one(
    fake: FakeOpenWebUI, marker: Path
) -> None:
    offline, online = Documents(marker, None, False), Documents(marker, None, True)
    assert offline.environment() == {"HF_HUB_OFFLINE": "1"}
    assert "documents are put into the chat whole" in arrange(fake, offline)[0]
    assert fake.retrieval[WHOLE] is True
    assert arrange(fake, offline) == []
    assert online.environment() == {}
    assert arrange(fake, online) == ["documents are searched again"]
    assert fake.retrieval[WHOLE] is False
    assert arrange(fake, online) == []


def test_what_an_administrator_has_chosen_stays(fake: FakeOpenWebUI, marker: Path) -> None:
    fake.retrieval[WHOLE] = True
    assert arrange(fake, Documents(marker, None, False)) == []
    assert arrange(fake, Documents(marker, None, True)) == []
    assert fake.retrieval[WHOLE] is True


def test_a_model_that_is_on_this_machine_searches_offline_too(fake: FakeOpenWebUI, marker: Path) -> None:
    folder = marker.parent / "hugging-face/hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/1"
    folder.mkdir(parents=True)
    assert not embedding_model_is_here()
    (folder / "model.safetensors").touch()
    assert embedding_model_is_here()
    documents = Documents(marker, None, False)
    assert documents.environment() == {"HF_HUB_OFFLINE": "1"}
    assert arrange(fake, documents) == []


def test_another_embedding_model_is_an_administrators(fake: FakeOpenWebUI, marker: Path) -> None:
    fake.embedding |= {"RAG_EMBEDDING_ENGINE": "openai", "RAG_EMBEDDING_MODEL": "text-embedding-3-small"}
    assert arrange(fake, Documents(marker, None, False)) == []
    assert arrange(fake, Documents(marker, (DEMO, "demo-embed"), True)) == []
    assert fake.embedding["RAG_EMBEDDING_ENGINE"] == "openai"


def test_the_stand_in_embeds_while_it_is_there(fake: FakeOpenWebUI, marker: Path) -> None:
    with_stand_in = Documents(marker, (DEMO, "demo-embed"), True)
    assert with_stand_in.environment()["RAG_OLLAMA_BASE_URL"] == DEMO
    assert arrange(fake, with_stand_in) == ["documents are searched with demo-embed"]
    assert fake.embedding["ollama_config"] == {"url": DEMO, "key": ""}
    assert arrange(fake, with_stand_in) == []
    assert arrange(fake, Documents(marker, None, True)) == [f"documents are searched with {EMBEDDING_MODEL}"]
    assert fake.embedding["RAG_EMBEDDING_ENGINE"] == ""


def test_whether_hugging_face_answers(marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with file_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.source.url)
        # It has no HEAD, and says so: it answers.
        assert hugging_face_answers()
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert not hugging_face_answers()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert not hugging_face_answers()
    monkeypatch.setenv("HF_ENDPOINT", "http://[oops")
    assert not hugging_face_answers()
