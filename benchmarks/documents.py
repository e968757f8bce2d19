"""Documents: how long 1,000 pages take, how fast a search is, what it costs a running reply, how often it finds.

Pages are sentences of the texts that the tests ask questions of, in another order on each. Knows no page of ours.

Examples:
  python -m benchmarks.documents
  EMBEDDINGS=folder python -m benchmarks.documents quality
  python -m benchmarks.documents add search --pages 200 --json
"""

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks import questions
from chains.assistant import build
from chains.report import Report
from conversations.library import files, vectors
from conversations.store import Database, Store
from documents import embedding
from documents.search import normalize
from settings import ROOT, Settings
from training.command import parser, require_positive, run

TEXTS = ROOT / "tests" / "documents" / "questions"
SENTENCES = 14  # of a page: some 2,000 characters
LENGTHS = (400, 500, 600, 800, 1000)
TOPS = (1, 3, 8)
MESSAGE = "Tell me a long story about the sea."


def script(pages: int) -> list[str]:
    """The texts of that many pages, the same ones each time. Raises OSError."""
    whole = " ".join(path.read_text(encoding="utf-8") for path in sorted(TEXTS.glob("*.txt")))
    sentences = re.split(r"(?<=[.?!;])\s+", whole)
    if len(sentences) < SENTENCES:
        raise FileNotFoundError(f"{TEXTS} holds no texts: run this in a checkout of the project")
    chance = random.Random(7)
    return [f"Page {number}. " + " ".join(chance.sample(sentences, SENTENCES)) for number in range(1, pages + 1)]


def pdf(pages: Sequence[str]) -> bytes:
    """The bytes of a PDF with these pages."""
    from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

    file = BytesIO()
    canvas = Canvas(file, invariant=True)
    for page in pages:
        lines = canvas.beginText(60, 790)
        lines.textLines("\n".join(wrap(page, 95)))
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


@dataclass
class Bench:
    """A store of its own, with one conversation."""

    store: Store
    args: argparse.Namespace

    def conversation(self) -> str:
        """The id of a new, empty conversation."""
        with self.store.database.writing() as session:
            return self.store.create(session).id

    def add(self) -> dict[str, Any]:
        """Figures of adding a PDF, end to end: its pages, megabytes, passages and seconds."""
        pages = script(self.args.pages)
        data = pdf(pages)
        began = time.perf_counter()
        row = files.add(self.store, "book.pdf", data, self.conversation())
        seconds = time.perf_counter() - began
        vectors.stop(self.store.database)
        return {
            "pages": row.pages,
            "MB": round(len(data) / 1e6, 1),
            "passages": row.passages,
            "seconds": round(seconds, 1),
        }

    def search(self) -> dict[str, Any]:
        """Milliseconds of questions over as many passages as asked for; the index is built by the first."""
        where, texts = self.conversation(), "\n\n".join(script(self.args.pages))
        held = 0
        while held < self.args.passages:
            held += files.add(self.store, "book.txt", texts.encode(), where).passages
        vectors.stop(self.store.database)
        queries = [each.question for each in questions.read_questions(TEXTS)]
        if (embedder := embedding.current_embedder()) is not None:
            self._fill(embedder.name, embedder.embed_texts(queries[:1]).shape[1])
        cold = self._time_search(where, queries[0])
        taken = sorted(self._time_search(where, each) for each in queries)
        return {
            "passages": held,
            "fused with": embedder.name if embedder is not None else "nothing",
            "with the index built, ms": round(cold),
            "median ms": round(statistics.median(taken), 1),
            "slowest ms": round(taken[-1], 1),
        }

    def _fill(self, name: str, size: int) -> None:
        """Give every passage a vector by chance: a search takes no less time with those."""
        chance = np.random.default_rng(7)
        with self.store.database.writing() as session:
            ids = session.scalars(text("SELECT id FROM passage")).all()
            rows = normalize(chance.standard_normal((len(ids), size), np.float32))
            change = text("UPDATE passage SET vector = :made WHERE id = :at")
            session.execute(change, [{"at": at, "made": row.tobytes()} for at, row in zip(ids, rows, strict=True)])
            session.execute(text("UPDATE document SET embedding = :name, vectors = passages"), {"name": name})

    def vectors(self) -> dict[str, Any]:
        """Seconds until all passages of a PDF have their vectors, which are made in the background."""
        row = files.add(self.store, "book.pdf", pdf(script(self.args.pages)), self.conversation())
        began, job = time.perf_counter(), vectors.job_of(self.store.database, row.id)
        if job is not None:
            job.finished.wait()
        seconds = time.perf_counter() - began
        return {"passages": row.passages, "seconds": round(seconds, 1), "a second": round(row.passages / seconds, 1)}

    def _time_search(self, where: str, question: str) -> float:
        began = time.perf_counter()
        files.search(self.store, where, question)
        return (time.perf_counter() - began) * 1000

    def reply(self) -> dict[str, Any]:
        """Tokens a second of replies one after the other: alone, while a file is read, while its index is built."""
        data, alone, reading, building = pdf(script(self.args.pages)), [], [], []
        rate(lambda: time.sleep(1))
        for _ in range(self.args.rounds):
            where = self.conversation()
            alone.append(rate(lambda: time.sleep(3)))
            reading.append(rate(lambda to=where: files.add(self.store, "book.pdf", data, to)))  # type: ignore[misc]
            vectors.stop(self.store.database)
            alone.append(rate(lambda: time.sleep(3)))
            building.append(rate(lambda to=where: files.search(self.store, to, "What is the cat called?")))  # type: ignore[misc]
        quiet = statistics.median(alone)
        return {
            "alone, tokens/s": round(quiet),
            "while a file is read": format_share(reading, quiet),
            "while its index is built": format_share(building, quiet),
        }

    def quality(self) -> dict[str, Any]:
        """How many questions have their passage among the first ones: for some lengths, and with EMBEDDINGS."""
        queries = questions.read_questions(TEXTS)
        table: dict[str, Any] = {"questions": len(queries)}
        for length in LENGTHS:
            cut = questions.passages(TEXTS, length, length * 2 // 15)
            ranks = questions.ranks(queries, questions.build_index(cut))
            counts = ", ".join(f"{questions.hits(ranks, top)} in {top}" for top in TOPS)
            table[f"{length} characters, {len(cut)} passages"] = counts
        embedder = embedding.current_embedder()
        if embedder is not None:
            ranks = questions.ranks(queries, questions.build_index(questions.passages(TEXTS), embedder.embed_texts))
            table[f"fused with {embedder.name}"] = ", ".join(f"{questions.hits(ranks, top)} in {top}" for top in TOPS)
        return table


def format_share(rates: Sequence[float], quiet: float) -> str:
    """The median of `rates` as a percentage of `quiet`."""
    return f"{statistics.median(rates) / quiet:.0%}"


def rate(beside: Callable[[], Any]) -> float:
    """Tokens a second of replies that run for as long as this takes in a thread. Raises what it raises."""
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(beside)
        work.add_done_callback(lambda _: done.set())
        tokens, seconds = asyncio.run(run_replies(done))
        work.result()
    return tokens / seconds


async def run_replies(done: threading.Event) -> tuple[int, float]:
    """One after the other until it is over: tokens, and seconds."""
    chain = build(Settings.read(), "llamacpp", options={"max_tokens": 300, "seed": 1})
    began, tokens = time.perf_counter(), 0
    while not (done.is_set() and tokens):
        report = Report()
        async for _ in chain.astream({"history": [], "input": MESSAGE}, {"callbacks": [report]}):
            pass
        tokens += report.completion_tokens or 0
    return tokens, time.perf_counter() - began


PARTS: dict[str, tuple[str, Callable[[Bench], dict[str, Any]]]] = {
    "add": ("a PDF added, end to end", Bench.add),
    "search": ("find in documents", Bench.search),
    "vectors": ("vectors of a PDF", Bench.vectors),
    "reply": ("a running reply", Bench.reply),
    "quality": ("the right passage is found", Bench.quality),
}


def lines(report: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The report as lines of text."""
    for part, metrics in report.items():
        yield PARTS[part][0]
        for name, value in metrics.items():
            yield f"  {name:<32}{value if isinstance(value, str) else f'{value:,}':>32}"


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    require_positive(args, "pages", "passages", "rounds")
    report: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'store.db'}")
        try:
            for part in args.parts or PARTS:
                report[part] = PARTS[part][1](Bench(Store(database, "me"), args))
        finally:
            database.close()
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.documents", __doc__)
    options.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=f"{', '.join(PARTS)} (all)")
    options.add_argument("--pages", type=int, default=1000, help="of the file (%(default)s)")
    options.add_argument("--passages", type=int, default=10_000, help="that are searched (%(default)s)")
    options.add_argument("--rounds", type=int, default=3, help="of replies (%(default)s)")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
