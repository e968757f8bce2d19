"""llama-cpp-python: a wheel of its own project's index, or compiled from its sources. Knows no other package.

`python -m deploy.install.llama FOLDER` leaves the compiled wheel there, for the image.
"""

import atexit
import hashlib
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.install import kernels
from deploy.install.packages import Environment, InstallError

ROOT = Path(__file__).parents[2]
INDEX = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
SECONDS = 5  # to wait for that index
COMPILERS = {"CC": ("cc", "gcc", "clang"), "CXX": ("c++", "g++", "clang++")}
NO_COMPILER = (
    "no C/C++ compiler: `apt install build-essential` (Debian, Ubuntu), `dnf install gcc-c++` (Fedora) or "
    "`xcode-select --install` (macOS), then `make install`; everything else is there"
)
STEP = re.compile(r"\[(\d+)/(\d+)\]")
COMMON = re.compile(r"LLAMA_BUILD_COMMON ON CACHE")  # a library for llama.cpp's own programs
VARIANT = re.compile(r"^ *ggml_add_cpu_backend_variant\((\S+).*\)\n", re.MULTILINE)
Tell = Callable[[str], None]


# What any x86-64 of the last ten years has: a build for this very CPU can crash on another one, and on CPUs with AMX.
PORTABLE = (
    ("-DGGML_AVX=ON", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON", "-DGGML_BMI2=ON")
    if platform.machine().lower() in {"x86_64", "amd64"}
    else ()
)


# Which kernels are compiled where nobody says: on x86-64 those that fit this CPU too. On others that was never tried.
KERNELS = "auto" if PORTABLE else "none"
LAST_LINES = 20  # of a compiler's words, that a failure shows: nobody can read a file of an image that was not made


class NoCompilerError(InstallError):
    """Nothing that compiles C and C++; its text says what to install."""


@dataclass(frozen=True)
class Build:
    """What is compiled, and how: `pin` is a requirement, `switches` are CMake's, `pictures` adds libmtmd."""

    pin: str
    variants: tuple[str, ...]
    switches: tuple[str, ...]
    pictures: bool = False

    @classmethod
    def read(cls) -> "Build":
        """As LLAMA_CPP_KERNELS, LLAMA_CMAKE_ARGS and LLAMA_CPP_PICTURES have it. Raises ValueError."""
        own, pictures = shlex.split(os.environ.get("LLAMA_CMAKE_ARGS", "")), bool(os.environ.get("LLAMA_CPP_PICTURES"))
        variants = () if own else tuple(kernels.choose(os.environ.get("LLAMA_CPP_KERNELS") or KERNELS))
        loaded = ("-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON") if variants else PORTABLE
        return cls(pin(), variants, tuple(own) or ("-DGGML_NATIVE=OFF", *loaded), pictures)

    @property
    def key(self) -> str:
        """What tells its wheel from those of other builds."""
        return hashlib.sha256(repr((self, platform.machine(), platform.libc_ver())).encode()).hexdigest()[:16]


def pin() -> str:
    """The requirement, as requirements-llamacpp.txt has it."""
    lines = (ROOT / "requirements-llamacpp.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith("llama-cpp-python=="))


def install_wheel(environment: Environment) -> str | None:
    """Install the ready wheel of LLAMA_CPP_INDEX_URL; why it could not be, or None where it is in."""
    index = os.environ.get("LLAMA_CPP_INDEX_URL", INDEX)
    if not index or os.environ.get("LLAMA_CMAKE_ARGS"):
        return "it was asked for" if index else "LLAMA_CPP_INDEX_URL is empty"
    try:
        environment.install("--no-deps", "--only-binary", "llama-cpp-python", pin(), index=index, seconds=SECONDS)
    except InstallError:
        return f"{index} cannot be reached, or has no wheel for this machine"
    return None if is_installed(environment) else f"the wheel of {index} does not load here"


def is_installed(environment: Environment) -> bool:
    """Whether the pinned version is there and its library loads; what the package imports may come later."""
    if environment.version("llama-cpp-python") != pin().partition("==")[2]:
        return False
    library = next(iter(sorted(_libraries(environment, "libllama.*"))), "none")
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    return subprocess.run([environment.python, "-c", code, library], capture_output=True).returncode == 0


def could_be_faster(environment: Environment) -> bool:
    """Whether kernels that somebody wants compiled would beat the ready ones: this CPU has more than AVX2."""
    if os.environ.get("LLAMA_CMAKE_ARGS"):
        return False
    best = kernels.choose(os.environ.get("LLAMA_CPP_KERNELS"))[:1]
    return bool(best) and best[0] not in kernels.BASES and not _libraries(environment, "libggml-cpu-*")


def _libraries(environment: Environment, name: str) -> list[Path]:
    """The files of that name in what is installed."""
    return list(environment.python.parents[1].glob(f"lib/python*/site-packages/llama_cpp/lib/{name}"))


def compiled(environment: Environment, folder: Path, tell: Tell) -> Path:
    """The wheel, from the cache or compiled in `folder`, which a later try goes on in. Raises InstallError."""
    build, cache = Build.read(), cache_folder()
    kept = cache / build.key if cache else None
    if kept and (wheel := next(kept.glob("*.whl"), None)):
        return wheel
    check_compiler()
    wheel = _compile(environment, build, folder / build.key, tell)
    if not kept:
        return wheel
    kept.mkdir(parents=True, exist_ok=True)
    unfinished = Path(shutil.copy(wheel, kept / f"{wheel.name}.part"))
    return unfinished.replace(kept / wheel.name)


def cache_folder() -> Path | None:
    """Where built wheels are kept for the next .venv; None where pip shall keep nothing either."""
    if os.environ.get("PIP_NO_CACHE_DIR", "0").lower() not in {"", "0", "false", "no", "off"}:
        return None
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-assistant" / "wheels"


def check_compiler() -> None:
    """Raises NoCompilerError where CC and CXX, or what they are by default, are not there."""
    for variable, names in COMPILERS.items():
        named = shlex.split(os.environ.get(variable, ""))[:1]
        if not any(shutil.which(name) for name in named or names):
            raise NoCompilerError(f"{variable}={named[0]} is not there: {NO_COMPILER}" if named else NO_COMPILER)


def _compile(environment: Environment, build: Build, folder: Path, tell: Tell) -> Path:
    tell("llama.cpp: its sources are fetched")
    tools = _install_tools(environment, folder.parent / "tools")
    sources = _unpack(environment, build, folder, tools)
    # Debian 12's pip has no short word for it.
    settings = (
        "build.targets=llama;mtmd" if build.pictures else "build.targets=llama",
        f"build-dir={folder / 'objects'}",
        "wheel.exclude=include/**;llama_cpp/lib/*/**",
    )
    options = [f"--config-settings={each}" for each in settings]
    words = folder.parent / "build.log"
    with words.open("w") as log:
        pip = _pip(environment, "wheel", "--verbose", "--no-cache-dir", *options, "-w", str(folder), str(sources))
        variables = _variables(build, folder, tools)
        process = subprocess.Popen(
            pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables, start_new_session=True
        )
        atexit.register(_end, process)
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            if step := STEP.search(line):
                tell(f"llama.cpp is compiled for this machine: {step[1]} of {step[2]} steps")
    if process.wait():
        last = "\n".join(words.read_text().splitlines()[-LAST_LINES:])
        raise InstallError(f"compiling llama.cpp failed. The last lines of {words}:\n{last}")
    return next(folder.glob("*.whl"))


def _end(process: subprocess.Popen[str]) -> None:
    """End it with all that it started; what it made is gone on with the next time."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _pip(environment: Environment, *arguments: str) -> list[str]:
    always = ("--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    return [str(environment.python), "-m", "pip", arguments[0], *always, *arguments[1:]]


def _variables(build: Build, folder: Path, tools: Path) -> dict[str, str]:
    """CMake's switches, and our tools before the machine's."""
    libraries = [f"-DCMAKE_INSTALL_{kind}=llama_cpp/lib" for kind in ("BINDIR", "LIBDIR")]
    switches = [
        *build.switches,
        *libraries,
        "-DLLAMA_BUILD_TOOLS=OFF",
        f"-DLLAVA_BUILD={'ON' if build.pictures else 'OFF'}",
    ]
    return {
        **os.environ,
        "CMAKE_ARGS": shlex.join(switches),
        "PYTHONPATH": str(tools),
        "PATH": f"{tools / 'bin'}:{os.environ['PATH']}",
        "CCACHE_BASEDIR": str(folder),  # so that another clone finds the same objects
        "CCACHE_NOHASHDIR": "1",
    }


def _install_tools(environment: Environment, tools: Path) -> Path:
    """What compiles, but for what the machine has."""
    lines = (ROOT / "requirements-build.txt").read_text().splitlines()
    wanted = [line for line in lines if "==" in line and not shutil.which(line.partition("==")[0])]
    environment.install("--target", str(tools), *wanted)
    return tools


def _unpack(environment: Environment, build: Build, folder: Path, tools: Path) -> Path:
    """The sources, without what is not called; those of an earlier try are gone on with."""
    sources = folder / "sources"
    if sources.is_dir():
        return sources
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        fetch = _pip(environment, "download", "--quiet", "--no-binary", "llama-cpp-python", "-d", made, build.pin)
        done = subprocess.run(fetch, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tools)})
        if done.returncode:
            raise InstallError(f"the sources of {build.pin} cannot be had: {done.stderr.strip()[-300:]}")
        extract(next(Path(made).glob("*.tar.gz")), Path(made))
        unpacked = next(path for path in Path(made).iterdir() if path.is_dir())
        trim(unpacked, build.variants)
        unpacked.rename(sources)
    return sources


def extract(archive: Path, folder: Path) -> None:
    """Unpack sources, of which nothing comes to stand outside the folder."""
    # Python before 3.11.4, as Debian 12 has it, knows no filters.
    safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as opened:
        opened.extractall(folder, **safely)


def trim(sources: Path, variants: tuple[str, ...]) -> None:
    """Take out of CMake's lists the library that only llama.cpp's programs use, and the kernels that nobody wants."""
    top, lists = sources / "CMakeLists.txt", sources / "vendor/llama.cpp/ggml/src/CMakeLists.txt"
    top.write_text(COMMON.sub("LLAMA_BUILD_COMMON OFF CACHE", top.read_text()))
    text = lists.read_text()
    if set(variants) & {match[1] for match in VARIANT.finditer(text)}:
        lists.write_text(VARIANT.sub(lambda line: line[0] if line[1] in variants else "", text))


def main() -> None:
    """Compile for the image."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        wheel = compiled(Environment(Path(sys.executable)), Path(made), print)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, folder)


if __name__ == "__main__":
    main()
