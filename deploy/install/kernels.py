"""Which of ggml's CPU kernels are compiled, by the names of its own variants (GGML_CPU_ALL_VARIANTS). Compiles nothing.

At start ggml takes the best of those there are that the CPU has, so a few are enough: all take minutes. Those with
AMX are never among them, since they crash on 8-bit weights; a CPU that has it takes `zen4`'s.
"""

import platform
from pathlib import Path

AVX512 = "avx512f avx512cd avx512vl avx512dq avx512bw"
# The best first, each with what of /proc/cpuinfo's flags it asks for.
X86 = {
    "zen4": f"{AVX512} avx512vbmi avx512_vnni avx512_bf16",
    "cooperlake": f"{AVX512} avx512_vnni avx512_bf16",
    "icelake": f"{AVX512} avx512vbmi avx512_vnni",
    "cascadelake": f"{AVX512} avx512_vnni",
    "skylakex": AVX512,
    "alderlake": "avx2 fma f16c bmi2 avx_vnni",
    "haswell": "avx2 fma f16c bmi2",
    "sandybridge": "avx sse4_2",
    "x64": "",
}
ARM = {
    "armv8.6_2": "asimddp asimdhp sve i8mm sve2",
    "armv8.6_1": "asimddp asimdhp sve i8mm",
    "armv8.2_3": "asimddp asimdhp sve",
    "armv8.2_2": "asimddp asimdhp",
    "armv8.2_1": "asimddp",
    "armv8.0_1": "",
}
BASES = ("haswell", "x64", "armv8.0_1")  # what a machine of the last ten years has, the first that this one has


def known(machine: str) -> dict[str, str]:
    """The variants of a kind of machine, as `uname -m` names it, the best first; none where ggml has one for all."""
    if machine.lower() in {"x86_64", "amd64"}:
        return X86
    return ARM if machine.lower() in {"aarch64", "arm64"} else {}


def flags(cpuinfo: str) -> set[str]:
    """What the CPU can, in the words of /proc/cpuinfo."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return next((set(value.split()) for name, _, value in lines if name.strip() in {"flags", "Features"}), set())


def fitting(machine: str, cpuinfo: str) -> list[str]:
    """The best variant for a CPU, and one for whatever .venv may be moved to."""
    variants, has = known(machine), flags(cpuinfo)
    usable = [name for name, wanted in variants.items() if set(wanted.split()) <= has]
    base = next((name for name in BASES if name in usable), None)
    return list(dict.fromkeys([*usable[:1], *([base] if base else [])]))


def choose(wanted: str | None) -> list[str]:
    """The variants to compile: of `wanted`, "all", names with commas, or "auto" for what fits this machine.

    [] where none are wanted, or ggml has none for it (macOS has its own): one library for any machine of its kind.
    Raises ValueError for a name that is none.
    """
    machine, variants = platform.machine(), known(platform.machine())
    if platform.system() != "Linux" or not wanted or wanted == "none":
        return []
    if wanted not in {"all", "auto"}:
        names = [name.strip() for name in wanted.split(",") if name.strip()]
        if unknown := [name for name in names if name not in variants]:
            allowed = ", ".join([*variants, "all", "auto", "none"])
            raise ValueError(f"LLAMA_CPP_KERNELS={wanted}: {unknown[0]} is none of {allowed}.")
        return names
    return list(variants) if wanted == "all" else fitting(machine, Path("/proc/cpuinfo").read_text())
