"""How documents that are attached to a chat are read: searched by an embedding model, or put into the chat whole.

Open WebUI fetches its embedding model from Hugging Face when it starts. Where that cannot be reached it retries for
more than a minute at each start, and then refuses every document.
"""

import os
from pathlib import Path
from typing import Any

import httpx

from installer.client import OpenWebUIClient

EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
HUGGING_FACE = "https://huggingface.co"
TIMEOUT_SECONDS = 4.0
OFFLINE = {"HF_HUB_OFFLINE": "1"}


def hugging_face_answers() -> bool:
    """Whether models can be fetched from Hugging Face now."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    try:
        httpx.head(os.environ.get("HF_ENDPOINT") or HUGGING_FACE, timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return True


def embedding_model_is_here() -> bool:
    """Whether Hugging Face's cache on this machine holds Open WebUI's embedding model."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("SENTENCE_TRANSFORMERS_HOME") or os.environ.get("HF_HUB_CACHE") or home / "hub")
    folder = cache / f"models--{EMBEDDING_MODEL.replace('/', '--')}" / "snapshots"
    return any(folder.glob("*/model.safetensors"))


class Documents:
    """How one Open WebUI reads documents.

    `embedder` is the Ollama (URL, model) that embeds them, if one is to, and `is_online` whether Hugging Face answers.
    `marker` is a file that is there while documents are put into chats whole because `up` has said so.
    """

    def __init__(self, marker: Path, embedder: tuple[str, str] | None, is_online: bool) -> None:
        self._marker, self._embedder, self._is_online = marker, embedder, is_online
        self._whole = embedder is None and not is_online and not embedding_model_is_here()

    def environment(self) -> dict[str, str]:
        """What tells Open WebUI so at its first start, before it looks for its embedding model."""
        settings = {} if self._is_online else dict(OFFLINE)
        if self._embedder:
            url, model = self._embedder
            settings |= {"RAG_EMBEDDING_ENGINE": "ollama", "RAG_EMBEDDING_MODEL": model, "RAG_OLLAMA_BASE_URL": url}
        return settings

    def arrange(self, client: OpenWebUIClient, own_urls: list[str]) -> list[str]:
        """Bring an Open WebUI that has started before up to date; returns what was done.

        What an administrator has chosen stays: only an embedding model at one of `own_urls` is replaced.
        """
        return [*self._choose_embedder(client, own_urls), *self._choose_whole(client)]

    def _choose_embedder(self, client: OpenWebUIClient, own_urls: list[str]) -> list[str]:
        now = client.call("GET", "/api/v1/retrieval/embedding")
        engine, url = now.get("RAG_EMBEDDING_ENGINE"), (now.get("ollama_config") or {}).get("url", "")
        is_own = engine == "ollama" and url in own_urls
        changes: dict[str, Any]
        if self._embedder and (not engine or is_own) and url != self._embedder[0]:
            changes = {"RAG_EMBEDDING_ENGINE": "ollama", "RAG_EMBEDDING_MODEL": self._embedder[1]}
            changes["ollama_config"] = {"url": self._embedder[0], "key": ""}
        elif self._embedder is None and is_own:
            changes = {"RAG_EMBEDDING_ENGINE": "", "RAG_EMBEDDING_MODEL": EMBEDDING_MODEL}
        else:
            return []
        form = {name: value for name, value in now.items() if name != "status"}
        client.call("POST", "/api/v1/retrieval/embedding/update", json={**form, **changes})
        return [f"documents are searched with {changes['RAG_EMBEDDING_MODEL']}"]

    def _choose_whole(self, client: OpenWebUIClient) -> list[str]:
        if self._whole == self._marker.exists():
            return []
        if self._whole and (
            client.call("GET", "/api/v1/retrieval/embedding").get("RAG_EMBEDDING_ENGINE")
            or client.call("GET", "/api/v1/retrieval/config").get("BYPASS_EMBEDDING_AND_RETRIEVAL")
        ):
            # An administrator has chosen another embedding model, or just this.
            return []
        form = {"BYPASS_EMBEDDING_AND_RETRIEVAL": self._whole}
        client.call("POST", "/api/v1/retrieval/config/update", json=form)
        if self._whole:
            self._marker.touch()
            return ["documents are put into the chat whole, since the model that searches them cannot be fetched now"]
        self._marker.unlink()
        return ["documents are searched again"]
