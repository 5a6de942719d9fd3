"""A double of Ollama 0.33: it answers, loads, evicts, truncates and refuses as Ollama does, without a model.

What Ollama does was read in its source (https://github.com/ollama/ollama, `server/`, `api/`, `llm/`) and recorded from
a real one. `python -m demo conformance` compares the double with such a record.
"""

from demo.ollama.app import create_app
from demo.ollama.behaviour import Behaviour
from demo.ollama.models import DEMO_MODELS, DemoModel

__all__ = ["DEMO_MODELS", "Behaviour", "DemoModel", "create_app"]
