"""What a run was made on and with: cores, the CPU's features, versions. Never a name or a path of the machine."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FEATURES = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "bmi2",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "sve",
)
PACKAGES = ("llama-cpp-python", "torch", "transformers", "langchain-core")


def cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def features() -> list[str]:
    """The CPU's features, as far as they matter to matrices and the system tells them."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    flags = next((line.split() for line in lines if line.lower().startswith(("flags", "features"))), [])
    return [name for name in flags if name in FEATURES or name.startswith("avx512")]


def describe() -> dict[str, Any]:
    """Cores, architecture, features, system and versions, for the report."""
    return {
        "cores": cores(),
        "architecture": platform.machine(),
        "features": features(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": dict(versions()),
    }


def versions() -> list[tuple[str, str]]:
    """Name and version of each library that computes and is installed."""
    pairs = []
    for name in PACKAGES:
        try:
            pairs.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return pairs


def is_same_build(first: str, second: str) -> bool:
    """Whether two builds' system infos name the same features; where one is unknown they are not."""
    return bool(first) and bool(second) and switches(first) == switches(second)


def switches(info: str) -> set[str]:
    """`A = 1` of `CPU : A = 1 | B = 1 |`."""
    return {" ".join(part.split()) for part in info.rpartition("CPU :")[2].split("|") if part.strip()}
