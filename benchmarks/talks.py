"""Whole conversations: ours, an older commit's and llama-server side by side, quiet and beside others that compute.

Each round starts every contender anew, in a process of its own, one at a time, in turning order, and asks it the same:
`talks`: 8 chats of three turns that arrive 0.3 s apart, each with a persona of its own (60 tokens; messages of 24,
replies of 48); `quote`: one chat that says a text of some 300 words again, at temperature 0.1; `restart`: the first
token of the next turn of a conversation with 800 tokens of history, in a process that was started after another one
was killed. Ratios are those of a round; the table has the median, the least and the most.

Examples:
  LLAMA_SERVER_BIN=/opt/llama.cpp/bin/llama-server python -m benchmarks.talks
  python -m benchmarks.talks talks --busy 2 --rounds 3 --beside ../checkout-of-an-older-commit
  python -m benchmarks.talks restart --models smollm2
"""

import argparse
import csv
import json
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backends import shipped
from benchmarks.contenders import Task
from benchmarks.figures import Figure, figure, percentile
from benchmarks.machine import cores
from benchmarks.measure import WINDOW
from benchmarks.models import FOLDER, MODELS, Model
from benchmarks.process import start_contender
from benchmarks.texts import TextGenerator
from settings import ROOT
from training.command import parser, run

CHATS, TURNS, APART = 8, 3, 0.3  # seconds
PERSONA, MESSAGE, REPLY, HISTORY = 60, 24, 48, 800  # tokens
QUOTE, WORDS = 320, 300  # tokens of the reply that says a text of so many words again
PARTS = ("talks", "quote", "restart")
OURS, OLD, SERVER = "llamacpp", "older", "llama-server"
Row = dict[str, Any]


def smollm2() -> Model:
    """SmolLM2 where it is installed. Raises ValueError."""
    path = shipped.base_gguf()
    if path is None:
        raise ValueError(f"SmolLM2 is not there: {shipped.absence()}")
    return Model("smollm2", "SmolLM2-135M-Instruct, Q4_1", path, path.parent)


def contenders(args: argparse.Namespace, part: str) -> dict[str, tuple[str, Path]]:
    """Who takes part: the contender's name, and the checkout that its code is of."""
    found = {OURS: ("llamacpp-chain", ROOT)}
    if args.beside:
        found[OLD] = ("llamacpp-chain", args.beside.resolve())
    if part != "restart" and Path(os.environ.get("LLAMA_SERVER_BIN", "")).is_file():
        found[SERVER] = ("llama-server", ROOT)
    return found


def personas(talk: TextGenerator) -> list[Row]:
    """Conversations: what their model is to be, and what is said to it."""
    return [
        {"system": f"You are {talk.text(PERSONA - 4)}.", "messages": [talk.text(MESSAGE) for _ in range(TURNS)]}
        for _ in range(CHATS)
    ]


def prose() -> str:
    """Some three hundred words that somebody wrote."""
    with (ROOT / "benchmarks" / "answers" / "texts.csv").open(encoding="utf-8", newline="") as file:
        words = " ".join(" ".join(row.values()) for row in csv.DictReader(file)).split()
    return " ".join(words[:WORDS])


def orders(part: str, number: int) -> Row:
    """What a contender is asked in a round."""
    talk = TextGenerator(number)
    if part == "talks":
        return {"do": "talks", "warm": personas(talk)[:1], "talks": personas(talk), "tokens": REPLY, "apart": APART}
    if part == "quote":
        text = f"Copy this text word by word, all of it, and add nothing:\n\n{prose()}"
        return {"do": "quote", "warm": talk.text(MESSAGE), "free": talk.text(MESSAGE), "text": text, "tokens": QUOTE}
    return {"do": "history", "history": talk.text(HISTORY), "follow": talk.text(MESSAGE), "tokens": 8}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute meanwhile."""
    others = [multiprocessing.get_context("spawn").Process(target=compute, daemon=True) for _ in range(count)]
    for each in others:
        each.start()
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.join()


def compute() -> None:
    """Add numbers, without end."""
    number = 0
    while True:
        number += 1


def measure(args: argparse.Namespace, part: str, model: Model, rows: list[Row]) -> Iterator[None]:
    """A row for each round, with the answer of each contender; stops where another one is there."""
    for number in range(args.rounds):
        row: Row = {}
        rows.append(row)
        for name, (contender, folder) in list(contenders(args, part).items())[:: -1 if number % 2 else 1]:
            print(f"{model.name}, {part}, round {number + 1} of {args.rounds}: {name}", file=sys.stderr)
            task = Task(contender, str(model.gguf), args.threads, WINDOW, CHATS, model.ends)
            with tempfile.TemporaryDirectory() as data, busy(args.busy):
                row[name] = ask(args, task, orders(part, number), folder, Path(data))
            yield


def ask(args: argparse.Namespace, task: Task, order: Row, folder: Path, data: Path) -> Row:
    """One contender's answer; a history is told to one process, which is killed, and gone on with in another."""
    variables = {
        "LLAMACPP_MODEL": task.path,
        "LLAMACPP_THREADS": str(args.threads),
        "LLAMACPP_N_CTX": str(WINDOW),
        "DATABASE_URL": f"sqlite:///{data}/talks.sqlite3",
        "BENCHMARKS_TEMPERATURE": "0.1" if order["do"] == "quote" else "0.8",
        "BENCHMARKS_CODE": str(folder),
        "HF_HUB_OFFLINE": "1",
        "LANGSMITH_TRACING": "false",
    }
    what = {name: value for name, value in order.items() if name != "do"}
    with start_contender(task, sys.executable, variables, FOLDER) as process:
        answer = process.order(order["do"], **what)
    if order["do"] != "history":
        return answer
    with start_contender(task, sys.executable, variables, FOLDER) as process:
        return process.order("follow", **{**what, "reply": answer["text"]})


def figures(part: str, answer: Row) -> dict[str, float]:
    """What is told of an answer."""
    if part == "talks":
        later = [first for chat in answer["firsts"] for first in chat[1:]]
        return {
            "tokens/s": answer["tokens"] / answer["seconds"],
            "first token, later turns, median (s)": percentile(later, 0.5),
            "first token, later turns, 95th percentile (s)": percentile(later, 0.95),
        }
    if part == "quote":
        return {f"tokens/s, {kind}": answer["tokens"] / answer[kind] for kind in ("free", "quoted")}
    return {"first token after a restart (s)": answer["first"]}


def table(part: str, model: Model, rows: list[Row]) -> Iterator[str]:
    """The figures of each contender, and ours as ratios to the others'."""
    names = list(rows[0])
    yield f"\n| {model.name}: {part} | {' | '.join(names)} | {' | '.join(f'ours / {n}' for n in names if n != OURS)} |"
    yield "|---" * (2 * len(names)) + "|"
    for what in figures(part, rows[0][OURS]):
        values = {name: [figures(part, row[name])[what] for row in rows] for name in names}
        found = [shown(figure(values[name])) for name in names]
        ratios = [
            shown(figure(mine / other for mine, other in zip(values[OURS], values[name], strict=True)))
            for name in names
            if name != OURS
        ]
        yield f"| {what} | {' | '.join(found + ratios)} |"


def shown(found: Figure | None) -> str:
    """The median, and what lies around it."""
    return "–" if found is None else f"{found.median:.3g} ({found.least:.3g}-{found.most:.3g})"


def work(args: argparse.Namespace) -> None:
    """Measure, and print the tables. Raises ValueError, OSError."""
    if args.beside and not (args.beside / "backends").is_dir():
        raise ValueError(f"--beside {args.beside}: no checkout of this project")
    FOLDER.mkdir(parents=True, exist_ok=True)
    models = {**MODELS, "smollm2": smollm2}
    results: dict[str, list[Row]] = {}
    for name in args.models:
        model = models[name]()
        for part in args.parts or PARTS:
            rows = results[f"{name}/{part}"] = []
            for _ in measure(args, part, model, rows):
                args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
            print("\n".join(table(part, model, rows)), flush=True)


def part_name(text: str) -> str:
    """The name itself. Raises ValueError for none of them."""
    if text not in PARTS:
        raise ValueError(text)
    return text


def main() -> int:
    """The exit status: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.talks", __doc__)
    options.add_argument("parts", nargs="*", type=part_name, metavar="PART", help=f"{', '.join(PARTS)} (all)")
    options.add_argument("--models", nargs="+", choices=[*MODELS, "smollm2"], default=["smollm2", "124M"])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile (0)")
    options.add_argument("--threads", type=int, default=cores(), help="for everybody (the cores there are)")
    options.add_argument("--beside", type=Path, metavar="FOLDER", help="a checkout of an older commit")
    options.add_argument("--out", type=Path, default=FOLDER / "talks.json", metavar="FILE", help="raw figures")
    args = options.parse_args()
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill is a Ctrl-C: nothing is left behind
    sys.exit(main())
