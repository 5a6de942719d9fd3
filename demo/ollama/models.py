"""The models that the double pretends to have, described as Ollama describes its own."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

REGISTRY = "registry.ollama.ai/library/"
DEFAULT_FILE = Path(__file__).with_name("models.json")


class Architecture(BaseModel):
    """The numbers of a model's GGUF file. Lengths and windows are in tokens or in elements of a vector."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    family: str
    block_count: int = Field(gt=0)
    context_length: int = Field(gt=0)
    embedding_length: int = Field(gt=0)
    feed_forward_length: int = Field(gt=0)
    head_count: int = Field(gt=0)
    # One number, or one for each layer; none for an encoder, which keeps no keys and values.
    head_count_kv: int | tuple[int, ...] | None = None
    key_length: int | None = None
    value_length: int | None = None
    # Layers that look back `sliding_window` tokens; every `full_attention_every`-th layer looks back all the way.
    sliding_window: int | None = None
    full_attention_every: int | None = None
    vocabulary: int = Field(default=32_000, gt=0)
    # Whether the embedding is also the output layer; if not, Ollama leaves it on the CPU.
    tied: bool = True
    # Whether the attention's matrices have biases, and its queries and keys norms of their own.
    attention_bias: bool = False
    attention_norm: bool = False

    @property
    def head_length(self) -> int:
        """Elements of one head where the file does not say."""
        return self.embedding_length // self.head_count


class DemoModel(BaseModel):
    """A model as Ollama has it; `size` in bytes. One with a `remote_host` is run in the cloud."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str = Field(min_length=1)
    size: int = Field(ge=0)
    parameter_count: int = Field(gt=0)
    architecture: Architecture
    capabilities: tuple[str, ...] = ("completion",)
    quantization: str = "Q4_K_M"
    # Type of the embedding's matrix, which is the largest part that may stay on the CPU.
    embedding_type: str = "Q4_K"
    modified_at: str = "2026-01-01T00:00:00Z"
    remote_host: str | None = None
    remote_model: str | None = None
    template: str = "{{ .Prompt }}"
    # Further keys of /api/show: of the model, and of the projector of a model that sees.
    model_info: dict[str, Any] = {}
    projector_info: dict[str, Any] | None = None
    given_digest: str | None = None

    @property
    def digest(self) -> str:
        """A stable digest, as Ollama gives every model."""
        return self.given_digest or sha256(self.name.encode()).hexdigest()

    @property
    def path(self) -> str:
        """Where Ollama would keep the weights. By this it orders models of equal keep_alive."""
        return f"/var/lib/ollama/models/blobs/sha256-{sha256(self.digest.encode()).hexdigest()}"

    @property
    def full_name(self) -> str:
        """The name with the registry, as some errors give it."""
        return REGISTRY + self.name

    @property
    def is_remote(self) -> bool:
        """Whether it is run in the cloud."""
        return self.remote_host is not None

    @property
    def sees(self) -> bool:
        """Whether it takes images."""
        return "vision" in self.capabilities

    @property
    def thinks(self) -> bool:
        """Whether it can think before it answers."""
        return "thinking" in self.capabilities

    @property
    def parameters_billion(self) -> float:
        """Its parameters in 10^9."""
        return self.parameter_count / 1e9

    @property
    def parameter_size(self) -> str:
        """The parameters as Ollama writes them: 3.2B or 566.70M."""
        if self.parameter_count >= 1e9:
            return f"{self.parameter_count / 1e9:.1f}B"
        return f"{self.parameter_count / 1e6:.2f}M"


_LIST = TypeAdapter(tuple[DemoModel, ...])


def load_models(path: Path = DEFAULT_FILE) -> tuple[DemoModel, ...]:
    """Models out of a JSON file of the form of models.json. Raises ValueError, in one sentence, if it is not one."""
    try:
        return _LIST.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " > ".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"{path} does not describe models: {where}: {first['msg']}.") from error


def find_model(models: Sequence[DemoModel], name: str) -> DemoModel | None:
    """The model of a name, in upper or lower case, without its tag if that is `latest`."""
    wanted = name.lower().removeprefix(REGISTRY).removeprefix("library/")
    tagged = wanted if ":" in wanted else f"{wanted}:latest"
    return next((model for model in models if model.name.lower() == tagged), None)


DEMO_MODELS = load_models()
