"""How the double refuses."""

import json


class OllamaError(Exception):
    """An error as Ollama answers it: a status and {"error": ...}."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def engine_error(status: int, message: str, kind: str, **more: int) -> OllamaError:
    """An error of the engine behind Ollama, llama.cpp's server, whose JSON Ollama passes on as a text."""
    body = {"error": {"code": status, "message": message, "type": kind, **more}}
    return OllamaError(status, json.dumps(body, separators=(",", ":")))


def not_found(name: str) -> OllamaError:
    """No model has this name."""
    return OllamaError(404, f"model '{name}' not found")
