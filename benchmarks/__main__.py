"""Everything side by side: our backends, LangChain's stock models, the libraries beneath, and llama-server.

Each contender is started anew in each round, in a process of its own, one at a time, with the same threads, window and
sampling, and asked the same: single chats and many, second turns, its first reply after the start, its memory. Raw
figures go to results.json, and from them are made results.md (the tables) and results.png.

Examples:
  python -m benchmarks
  python -m benchmarks --quick
  LLAMA_SERVER_BIN=/opt/llama.cpp/bin/llama-server python -m benchmarks --rounds 5 --models 124M
  python -m benchmarks --only llamacpp-chain llamacpp-engine --chats 1,8 --tokens 128
  python -m benchmarks --from runs/benchmarks/results.json
"""

import argparse
import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.environment import stock_python
from benchmarks.machine import cores, describe
from benchmarks.measure import WINDOW, Plan, Run
from benchmarks.models import FOLDER, MODELS
from benchmarks.plot import draw
from benchmarks.process import strip_paths
from benchmarks.report import markdown
from training.command import parser, require_positive, run

CHATS, HISTORIES = (1, 2, 4, 8, 16), (100, 800)
QUICK = {"rounds": 1, "tokens": 32, "models": ["shipped"], "chats": (1, 8), "histories": (800,), "turns": 1}
USUAL = {"rounds": 3, "tokens": 64, "models": list(MODELS), "chats": CHATS, "histories": HISTORIES, "turns": 2}


def numbers(text: str) -> tuple[int, ...]:
    """`1,2,4`. Raises ValueError."""
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise ValueError(text)
    return values


def build_plan(args: argparse.Namespace) -> tuple[Plan, dict[str, str]]:
    """The plan, and who is left out of it and why. Raises ValueError, OSError."""
    names = args.only or list(CONTENDERS)
    left_out = {name: reason for name in names if (reason := missing_program(name))}
    python = None
    if any(CONTENDERS[name].stock for name in names):
        try:
            python = stock_python(FOLDER / "stock")
        except ValueError as error:
            left_out |= {name: strip_paths(str(error)) for name in names if CONTENDERS[name].stock}
    FOLDER.mkdir(parents=True, exist_ok=True)
    present = tuple(name for name in names if name not in left_out)
    return Plan(
        present, args.chats, args.histories, args.tokens, args.rounds, args.turns, args.threads, FOLDER, python
    ), left_out


def missing_program(name: str) -> str:
    """Why a contender cannot be asked here; empty where it can."""
    variable = CONTENDERS[name].needs
    if not variable or Path(os.environ.get(variable, "")).is_file():
        return ""
    return f"{variable} names no program; benchmarks/README.md says how it is built"


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Raw results, written to a file after each contender. Raises ValueError, OSError."""
    plan, left_out = build_plan(args)
    if not plan.contenders:
        raise ValueError(f"--only: nobody is left to measure: {left_out}")
    models = [MODELS[name]() for name in dict.fromkeys(args.models)]
    run = Run(plan)
    results: dict[str, Any] = {
        "command": args.command,
        "machine": describe(),
        "models": {model.name: model.about for model in models},
        "options": {
            "contenders": plan.contenders,
            "chats": plan.chats,
            "histories": plan.histories,
            "tokens": plan.tokens,
            "rounds": plan.rounds,
            "threads": plan.threads,
            "window": WINDOW,
        },
        "left_out": left_out,
        "rows": run.rows,
        "failures": run.failures,
    }
    for _ in run.rounds(models):
        (args.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    return results


def read(path: Path) -> dict[str, Any]:
    """Results of an earlier run. Raises ValueError, OSError."""
    results = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(results, dict) or not {"rows", "models", "options", "machine"} <= results.keys():
        raise ValueError(f"--from {path}: no results of this benchmark; name a results.json")
    return results


def command_line(arguments: list[str]) -> str:
    """The command, without folders of this machine."""
    before = ["LLAMA_SERVER_BIN=llama-server"] if os.environ.get("LLAMA_SERVER_BIN") else []
    where = [at for at, word in enumerate(arguments) if word == "--out"]
    rest = [word for at, word in enumerate(arguments) if not {at, at - 1} & {*where} and not word.startswith("--out=")]
    return " ".join([*before, shlex.join(["python", "-m", "benchmarks", *rest])])


def work(args: argparse.Namespace) -> None:
    """Measure or read, print the tables, draw. Raises ValueError, OSError."""
    require_positive(args, "tokens", "rounds", "threads")
    args.out.mkdir(parents=True, exist_ok=True)
    results = read(args.source) if args.source else measure(args)
    text = markdown(results)
    (args.out / "results.md").write_text(text, encoding="utf-8")
    draw(results, args.out / "results.png")
    print(text)


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks", __doc__)
    options.add_argument("--rounds", type=int, help="of everything (3)")
    options.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="CONTENDER", help=", ".join(CONTENDERS))
    options.add_argument("--models", nargs="+", choices=MODELS, help="which (all)")
    options.add_argument("--chats", type=numbers, help="at once (1,2,4,8,16)")
    options.add_argument("--tokens", type=int, help="of each reply (64)")
    options.add_argument("--threads", type=int, default=cores(), help="for everybody (the cores there are)")
    options.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="(runs/benchmarks)")
    options.add_argument("--quick", action="store_true", help="one short round with the shipped model")
    options.add_argument("--from", dest="source", type=Path, metavar="FILE", help="make tables and plot of this JSON")
    args = options.parse_args(argv)
    for name, value in (QUICK if args.quick else USUAL).items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    args.command = command_line(sys.argv[1:] if argv is None else argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill is a Ctrl-C: nothing is left behind
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("benchmark: stopped; results.json has what was measured so far", file=sys.stderr)
        sys.exit(130)
