"""How the double describes its models."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from demo.ollama.models import DEMO_MODELS, load_models
from tests.unit.demo.build import CODER, EMBED, LARGE, MEDIUM, MINI, REMOTE, SMALL


def test_the_models_differ_as_real_ones_do() -> None:
    able = {model.name: set(model.capabilities) for model in DEMO_MODELS}
    assert able[MINI] == {"completion"}
    assert "tools" in able[SMALL]
    assert {"vision", "tools"} <= able[MEDIUM]
    assert "insert" in able[CODER]
    assert "thinking" in able[LARGE]
    assert able[EMBED] == {"embedding"}
    assert min(model.architecture.context_length for model in DEMO_MODELS) == 8_192
    assert [model.name for model in DEMO_MODELS if model.remote_host] == [REMOTE]


def test_tags(ollama: TestClient) -> None:
    tags = {entry["name"]: entry for entry in ollama.get("/api/tags").json()["models"]}
    small = tags[SMALL]
    assert small["details"]["parameter_size"] == "3.2B"
    assert small["details"]["quantization_level"] == "Q4_K_M"
    assert (small["details"]["context_length"], small["details"]["embedding_length"]) == (131_072, 3_072)
    assert small["capabilities"] == ["completion", "tools"]
    assert len(small["digest"]) == 64
    assert "remote_host" not in small
    assert tags[REMOTE]["remote_host"] == "https://ollama.com:443"
    assert tags[EMBED]["details"]["parameter_size"].endswith("M")


def test_show_has_the_architectures_numbers_and_tensors(ollama: TestClient) -> None:
    shown = ollama.post("/api/show", json={"model": LARGE}).json()
    info = shown["model_info"]
    assert info["general.architecture"] == "qwen3"
    assert info["qwen3.context_length"] == 40_960
    assert info["qwen3.attention.head_count_kv"] == 8
    assert info["qwen3.feed_forward_length"] == 25_600
    assert info["tokenizer.ggml.tokens"] is None
    shapes = {tensor["name"]: tensor["shape"] for tensor in shown["tensors"]}
    assert shapes["token_embd.weight"] == [5_120, 151_936]
    assert shapes["blk.63.ffn_down.weight"] == [25_600, 5_120]
    assert "output.weight" in shapes
    assert "output.weight" not in {t["name"] for t in ollama.post("/api/show", json={"model": SMALL}).json()["tensors"]}
    mini = ollama.post("/api/show", json={"model": MINI}).json()["model_info"]
    assert mini["gemma3.attention.sliding_window"] == 512
    assert "projector_info" in ollama.post("/api/show", json={"model": MEDIUM}).json()
    verbose = ollama.post("/api/show", json={"model": LARGE, "verbose": True}).json()
    assert verbose["model_info"]["tokenizer.ggml.tokens"] is not None


def test_the_openai_list(ollama: TestClient) -> None:
    listed = ollama.get("/v1/models").json()["data"]
    assert {entry["id"] for entry in listed} == {model.name for model in DEMO_MODELS}
    assert ollama.get(f"/v1/models/{SMALL}").json()["id"] == SMALL
    missing = ollama.get("/v1/models/missing")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "does not describe models"),
        ('[{"name": "a:1b"}]', "does not describe models"),
        ('[{"name": "", "size": -1, "parameter_count": 1, "architecture": {}}]', "does not describe models"),
    ],
)
def test_a_file_that_describes_no_models(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "models.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=words):
        load_models(path)
