"""What tests ask of Open WebUI through its API, as a program that uses it would."""

from typing import Any

from installer.client import OpenWebUIClient

READ = "read"


def chat(client: OpenWebUIClient, model: str, text: str, **more: Any) -> Any:
    """One chat completion, whole."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": False, **more}
    return client.call("POST", "/api/chat/completions", json=body)


def answer(client: OpenWebUIClient, model: str, text: str, **more: Any) -> str:
    """The text of one chat completion."""
    return str(chat(client, model, text, **more)["choices"][0]["message"]["content"])


def grant(admin: OpenWebUIClient, model_id: str, user_id: str | None) -> None:
    """Let one user use a model, or nobody but administrators."""
    grants = [{"principal_type": "user", "principal_id": user_id, "permission": READ}] if user_id else []
    form = {"id": model_id, "name": model_id, "access_grants": grants}
    admin.call("POST", "/api/v1/models/model/access/update", json=form)
    admin.call("GET", "/api/models", params={"refresh": "true"})


def add_model(admin: OpenWebUIClient, model_id: str, base_model_id: str, **more: Any) -> None:
    """Add a workspace model that is based on another."""
    form = {"id": model_id, "name": model_id, "base_model_id": base_model_id, "params": {}, "meta": {}, **more}
    admin.call("POST", "/api/v1/models/import", json={"models": [form]})
    admin.call("GET", "/api/models", params={"refresh": "true"})
