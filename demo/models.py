"""The demo engine's models, described as Ollama describes its own."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

MODIFIED_AT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class DemoModel:
    """A model as Ollama would list it; `parameters_billion` in 10^9, `context_length` in tokens."""

    name: str
    parameters_billion: float
    context_length: int
    family: str = "llama"
    quantization: str = "Q4_K_M"
    capabilities: tuple[str, ...] = ("completion", "tools")
    remote_host: str | None = None

    @property
    def digest(self) -> str:
        """A stable digest, as Ollama gives every model."""
        return sha256(self.name.encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes on disk: 4-bit weights with their scales take about 0.6 bytes a parameter."""
        return 0 if self.remote_host else int(self.parameters_billion * 0.6e9)

    @property
    def parameter_size(self) -> str:
        """The size as Ollama writes it: 3.2B or 137M."""
        if self.parameters_billion < 1:
            return f"{self.parameters_billion * 1000:.0f}M"
        return f"{self.parameters_billion:.1f}B"

    def details(self) -> dict[str, Any]:
        """The `details` of /api/tags, /api/show and /api/ps."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
        }

    def tag(self) -> dict[str, Any]:
        """The model's entry in /api/tags."""
        remote = {"remote_model": self.name, "remote_host": self.remote_host} if self.remote_host else {}
        return {
            "name": self.name,
            "model": self.name,
            **remote,
            "modified_at": MODIFIED_AT,
            "size": self.size,
            "digest": self.digest,
            "details": self.details(),
        }

    def show(self) -> dict[str, Any]:
        """The model's /api/show."""
        return {
            "modelfile": f"FROM {self.name}",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": self.details(),
            "model_info": {
                "general.architecture": self.family,
                "general.parameter_count": int(self.parameters_billion * 1e9),
                f"{self.family}.context_length": self.context_length,
            },
            "capabilities": list(self.capabilities),
            "modified_at": MODIFIED_AT,
        }


DEMO_MODELS = (
    DemoModel("demo-small:3b", 3.2, 131_072),
    DemoModel("demo-medium:8b", 8.0, 131_072, capabilities=("completion", "tools", "vision")),
    DemoModel("demo-large:32b", 32.8, 131_072, family="qwen2"),
    DemoModel("demo-embed:latest", 0.137, 2_048, family="nomic-bert", capabilities=("embedding",)),
)
