"""One installation into .venv: the page, then each local backend, which may come while the page runs already.

Knows in which order and why; how packages come is packages.py, how llama.cpp does is llama.py.
"""

import os
import subprocess
import sys
from pathlib import Path

from deploy.install import left_out, llama
from deploy.install.llama import ROOT, NoCompilerError
from deploy.install.packages import Environment, InstallError
from deploy.install.progress import Progress

TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS = 15  # to wait for that index


class Installation:
    """What is installed into `environment`. `failed`: a backend that should have come did not."""

    def __init__(self, environment: Environment) -> None:
        """Nothing is installed yet."""
        self.environment = environment
        self.prefix = environment.python.parents[1]
        self.progress = Progress(self.prefix / "installing")
        self.failed = False
        self._faster: Path | None = None  # a wheel that takes the place of the one in use

    def install_page(self) -> None:
        """Page, API and terminal. Raises InstallError."""
        print("Installing the page and the openai backend…", flush=True)
        self._install("requirements-openai.txt")
        self.mark("openai")

    def install_gpt2(self) -> None:
        """torch, in its CPU build where there is no GPU, and transformers."""
        try:
            self._install_torch()
            self.progress.begin("gpt2", "Installing the gpt2 backend")
            self._install("requirements-gpt2.txt")
            self.progress.end("gpt2")
        except InstallError as error:
            self._fail("gpt2", f"could not be installed: {error}")

    def install_llamacpp(self) -> None:
        """llama.cpp, ready or compiled; afterwards faster kernels, which `finish` puts in its place."""
        left_out.forget(self.prefix)
        try:
            if not llama.is_installed(self.environment):
                self._first_llama()
            self._install("requirements-llamacpp.txt")
            self.progress.end("llamacpp")
            if llama.could_be_faster(self.environment):
                self._compile_faster()
        except NoCompilerError as error:
            left_out.remember(self.prefix, str(error))
            self.progress.fail("llamacpp", str(error))
        except (InstallError, ValueError) as error:
            self._fail("llamacpp", str(error))

    def install_weights(self) -> None:
        """Those of the base model, as the Makefile has it."""
        subprocess.run(["make", "--silent", ".venv/installed-model"], cwd=ROOT, check=False)

    def install_others(self, name: str) -> None:
        """What requirements-NAME.txt names, for those who develop. Raises InstallError."""
        print(f"Installing requirements-{name}.txt…", flush=True)
        self._install(f"requirements-{name}.txt")
        self.mark(name)

    def finish(self, name: str) -> None:
        """Check that all is as the requirements have it. Raises InstallError."""
        if self._faster:
            self._put(self._faster)
        if self.failed:
            return
        if llama.is_installed(self.environment):
            self._install("requirements.txt")
            self.mark(name)
        elif left_out.reason(self.prefix):
            self.mark(name)

    def mark(self, name: str) -> None:
        """Say to make that it is done."""
        (self.prefix / f"installed-{name}").touch()

    def _install(self, requirements: str) -> None:
        self.environment.install("-r", str(ROOT / requirements))

    def _install_torch(self) -> None:
        gpu = list(Path("/dev").glob("nvidia[0-9]*"))
        if self.environment.version("torch") or sys.platform != "linux" or gpu:
            return
        index = os.environ.get("TORCH_INDEX_URL") or TORCH_INDEX
        self.progress.begin("gpt2", f"Installing the CPU build of torch from {index}")
        pins = (ROOT / "requirements-gpt2.txt").read_text().splitlines()
        try:
            torch = next(pin for pin in pins if pin.startswith("torch=="))
            self.environment.install("--no-deps", torch, index=index, seconds=SECONDS)
        except InstallError:
            print(f"{index} cannot be reached: installing the plain pin, which may bring CUDA packages.", flush=True)

    def _first_llama(self) -> None:
        self.progress.begin("llamacpp", "Looking for a ready wheel of llama.cpp")
        if reason := llama.install_wheel(self.environment):
            self.progress.begin("llamacpp", f"Compiling llama.cpp for this machine: {reason}")
            self._put(self._compile(lambda words: self.progress.update("llamacpp", words)))

    def _compile_faster(self) -> None:
        print(
            "llamacpp is ready; compiling kernels that suit this CPU better (LLAMA_CPP_KERNELS=none: not)…", flush=True
        )
        try:
            self._faster = self._compile(lambda _: None)
        except InstallError as error:
            print(f"llama.cpp stays as it is: {error}", flush=True)

    def _compile(self, tell: llama.Tell) -> Path:
        folder = self.prefix / "llama-cpp"
        folder.mkdir(exist_ok=True)
        return llama.compiled(self.environment, folder, tell)

    def _put(self, wheel: Path) -> None:
        self.environment.install("--no-deps", "--force-reinstall", str(wheel))

    def _fail(self, backend: str, words: str) -> None:
        self.failed = True
        self.progress.fail(backend, words)
