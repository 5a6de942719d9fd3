"""What this machine is: which build of the engine runs on it, and how much of it the engine may use."""

import platform

import archspec.cpu  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]

from installer.engine.manifest import EngineBuild, Manifest
from installer.errors import UnsuitableMachine

# What the x86-64 build was compiled for: AVX2, FMA, BMI and their like, in processors since about 2013.
X86_64_LEVEL = "x86_64_v3"
WITHOUT_ENGINE = "install Ollama (https://ollama.com) and run this again"


def has_x86_64_level(level: str = X86_64_LEVEL) -> bool:
    """Whether this x86-64 processor has every instruction of a level of the architecture."""
    return bool(archspec.cpu.host() >= archspec.cpu.TARGETS[level])


def build_for_this_machine(manifest: Manifest) -> EngineBuild:
    """The build of the engine for this machine. Raises UnsuitableMachine if none runs on it."""
    # Windows and macOS have names of their own for the same processors.
    machine = {"amd64": "x86_64", "x86-64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    here = (platform.system(), machine)
    build = next((build for build in manifest.engines if (build.system, build.machine) == here), None)
    if build is None:
        known = ", ".join(f"{build.system} {build.machine}" for build in manifest.engines)
        raise UnsuitableMachine(f"There is no engine for {' '.join(here)}, only for {known}", WITHOUT_ENGINE)
    if machine == "x86_64" and not has_x86_64_level():
        raise UnsuitableMachine(
            "The engine needs a processor with AVX2 (x86-64-v3), and this one is older", WITHOUT_ENGINE
        )
    return build


def engine_threads() -> int:
    """How many threads the engine is to compute with: the cores it may use, less one for Open WebUI, at least one.

    More threads than free cores are slower than one, since each waits for the slowest.
    """
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    if hasattr(psutil.Process, "cpu_affinity"):
        cores = min(cores, len(psutil.Process().cpu_affinity() or [0]))
    return max(1, cores - 1)
