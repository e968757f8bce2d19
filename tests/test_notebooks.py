"""The notebooks, run from beginning to end as a student would, on a few dialogues; and how they are saved."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from settings import ROOT
from tests.training.conftest import dialogue, write

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.server  # each runs in a kernel of its own
SMALL = {"CONFIG": "tiny", "VOCABULARY": "400", "LENGTH": "96", "BATCH": "4", "STEPS": "40"}


def saved(path: Path) -> Any:
    """The notebook as it is in the repository."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def parts(book: Any, kind: str = "code") -> list[Any]:
    """The cells of one kind."""
    return [cell for cell in book.cells if cell.cell_type == kind]


def printed(book: Any, cell: str) -> str:
    """What the cell of that id wrote to stdout."""
    outputs = next(c for c in book.cells if c.id == cell).outputs
    return "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")


def pictures(book: Any, cell: str) -> int:
    """How many pictures it showed."""
    outputs = next(c for c in book.cells if c.id == cell).outputs
    return sum("image/png" in o.get("data", {}) for o in outputs)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone: links to what it has, but its own notebooks/ and no runs/."""
    folder = tmp_path / "clone"
    (folder / "notebooks").mkdir(parents=True)
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in {"notebooks", "runs", "data"}:
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel of this interpreter that no other Jupyter knows, without the caller's profile."""
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "tests",
            "language": "python", "metadata": {"supported_encryption": ["curve"]}}  # fmt: skip
    (tmp_path / "jupyter" / "kernels" / "tests").mkdir(parents=True)
    (tmp_path / "jupyter" / "kernels" / "tests" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):  # nobody listens there: what asks the network fails at once
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return "tests"


def execute(name: str, clone: Path, kernel: str) -> Any:
    """A notebook with its outputs. Raises CellExecutionError where a cell fails."""
    book = saved(ROOT / "notebooks" / name)
    where = {"metadata": {"path": str(clone / "notebooks")}}
    nbclient.NotebookClient(book, timeout=300, kernel_name=kernel, resources=where).execute()
    return book


def test_training_ends_with_a_model_that_learnt_and_answers(
    clone: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SMALL.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("DIALOGUES", str(write(clone / "mine.jsonl", [dialogue(i) for i in range(400)])))
    book = execute("training.ipynb", clone, kernel)
    assert re.search(r"train +[\d,]+ rows", printed(book, "card"))
    assert pictures(book, "card") == pictures(book, "curve") == 1
    losses = re.findall(r"(\w+) loss: ([\d.]+) after \d+ steps, ([\d.]+) after 40", printed(book, "curve"))
    assert [name for name, *_ in losses] == ["training", "validation"]
    assert all(float(last) < float(first) - 0.5 for _, first, last in losses)
    report = json.loads((clone / "runs" / "notebook" / "evaluation.json").read_text(encoding="utf-8"))
    assert report["overall"]["cases"] > 0
    assert re.search(r"answered: \S", printed(book, "export"))


def test_inference_answers_three_ways(clone: Path, kernel: str) -> None:
    book = execute("inference.ipynb", clone, kernel)
    template = printed(book, "template")
    assert template.startswith("<|system|>")
    assert template.endswith("<|assistant|>\n")
    assert printed(book, "transformers").strip()
    assert re.fullmatch(r"0.1: .*\S\n0.7: .*\S\n2.0: .*\S\n", printed(book, "temperature"))
    assert printed(book, "llama").strip()
    assert re.findall(r"^(\w+), \S+: \S.*\n  \d+ tokens", printed(book, "chain"), re.M) == ["gpt2", "llamacpp"]


def test_both_are_here() -> None:
    assert [path.name for path in NOTEBOOKS] == ["inference.ipynb", "training.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_saved_without_outputs_and_paths(path: Path) -> None:
    book = saved(path)
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    assert all(not cell.outputs and cell.execution_count is None for cell in parts(book))
    assert not re.search(r"[\"'`](/|[A-Z]:\\\\|~)\w", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_short_and_every_cell_is_explained(path: Path) -> None:
    book = saved(path)
    assert 8 <= len(book.cells) <= 14
    assert [cell.cell_type for cell in book.cells] == ["markdown", "code"] * (len(book.cells) // 2)
    assert all(len(cell.source) > 60 for cell in parts(book, "markdown"))
