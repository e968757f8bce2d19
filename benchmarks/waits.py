"""What a person waits for in a real Chromium: page, first words of a reply, a long chat; beside another checkout.

Each round starts each checkout's `python cli.py serve` twice on a new SQLite file: once so that everything was made
before, then with an empty browser cache, and that one counts. The page is drawn when a message can be written; from
then on, in that browser, messages are sent and stopped at their first words, and a long chat is opened again and again.
All of it is by the clock, in turns: keep the machine quiet, and read ratios. Playwright drives the browser that
CHROMIUM names, or Debian's.

Examples:
  python -m benchmarks.waits
  python -m benchmarks.waits --root ../before --rounds 3
  python -m benchmarks.waits --root ../before --backend openai --messages 200 --json
"""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import cores
from benchmarks.scripted_server import prompt_for
from benchmarks.tab_load import start_page
from settings import ROOT
from training.command import parser, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Seconds = dict[str, list[float]]  # by what was waited for
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 120_000  # milliseconds
TIMES = 3  # messages sent, and openings, in a round
NAMES = {
    "drawn": "second start to a drawn page, empty cache",
    "words": "Enter to the first words",
    "opened": "opening a long chat",
}
HAS_WORDS = """count => {
  const messages = [...document.querySelectorAll('[data-testid=stChatMessage]')];
  const parts = messages.at(-1)?.querySelectorAll('.reply > div, [data-testid=stMarkdownContainer]') ?? [];
  return messages.length >= count && [...parts].some((part) => !part.closest('button') && part.innerText.trim());
}"""
RESTS = "() => !document.querySelector('[class*=st-key-stop]')"


@contextmanager
def start_browser() -> Iterator["Browser"]:
    """Chromium. Raises ValueError where there is none."""
    from playwright.sync_api import sync_playwright

    path = Path(os.environ.get("CHROMIUM", CHROMIUM))
    if not path.exists():
        raise ValueError(f"no Chromium at {path}: apt install chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=FLAGS)
        yield browser
        browser.close()


def measure(browser: "Browser", root: Path, backend: str, messages: int) -> Seconds:
    """The seconds of one round of a checkout. Raises ValueError where its page does not start."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "waits.db"
        with start_page(f"sqlite:///{file}", root, backend) as (address, _), closing(browser.new_context()) as context:
            tab = context.new_page()
            tab.set_default_timeout(PATIENCE)
            _draw(tab, address)
            _send(tab, 0)
            state = context.storage_state()
        identity = lengthen(file, messages)
        with (
            start_page(f"sqlite:///{file}", root, backend) as (address, process),
            closing(browser.new_context(storage_state=state)) as context,
        ):
            tab = context.new_page()
            tab.set_default_timeout(PATIENCE)
            _draw(tab, address)
            drawn = time.time() - process.create_time()
            _send(tab, 0)  # the model is loaded with it
            words = [_send(tab, 2 * number) for number in range(1, TIMES + 1)]
            opened = [_open(tab, f"{address}/?c={identity}", f"message {messages - 1}") for _ in range(TIMES)]
    return {"drawn": [drawn], "words": words, "opened": opened}


def _draw(tab: "Page", address: str) -> None:
    tab.goto(address)
    tab.locator("textarea[placeholder='Write a message']:enabled").wait_for()


def _send(tab: "Page", before: int) -> float:
    """Seconds from Enter to the first words of a reply, after so many messages; the reply is stopped then."""
    tab.get_by_placeholder("Write a message").fill(prompt_for(400, 20))
    began = time.perf_counter()
    tab.keyboard.press("Enter")
    tab.wait_for_function(HAS_WORDS, arg=before + 2, polling="raf")
    took = time.perf_counter() - began
    tab.keyboard.press("Escape")
    tab.wait_for_function(RESTS)
    return took


def _open(tab: "Page", address: str, last: str) -> float:
    """Seconds until the newest message of a chat is on the screen."""
    began = time.perf_counter()
    tab.goto(address)
    tab.get_by_text(last, exact=True).wait_for()
    return time.perf_counter() - began


def lengthen(file: Path, count: int) -> str:
    """The id of the one conversation of a file, which has so many more messages now, whatever columns they have."""
    with closing(sqlite3.connect(file)) as connection, connection:
        identity, head = connection.execute("SELECT id, head FROM conversation").fetchone()
        asked = connection.execute("SELECT * FROM message WHERE conversation_id = ? ORDER BY id LIMIT 2", (identity,))
        columns = [column[0] for column in asked.description]
        pair = [dict(zip(columns, row, strict=True)) for row in asked]
        places = f"({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})"
        for number in range(count):
            row = {**pair[number % 2], "id": head + 1, "parent_id": head, "text": f"message {number}"}
            connection.execute(f"INSERT INTO message {places}", row)
            head += 1
        connection.execute("UPDATE conversation SET head = ?", (head,))
    return str(identity)


def benchmark(args: argparse.Namespace, measure: Callable[..., Seconds] = measure) -> dict[str, Any]:
    """The whole report. Raises ValueError."""
    roots = {"this": ROOT, **({"before": args.root} if args.root else {})}
    found: dict[str, Seconds] = {name: {what: [] for what in NAMES} for name in roots}
    with start_browser() as browser:
        for number in range(args.rounds):
            for name in list(roots)[:: -1 if number % 2 else 1]:
                for what, seconds in measure(browser, roots[name], args.backend, args.messages).items():
                    found[name][what] += [round(each, 3) for each in seconds]
    return {"cores": cores(), "backend": args.backend, "messages": args.messages, "seconds": found}


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text: medians with their spread, and this one's by the other's."""
    yield f"Seconds in Chromium, {report['backend']}, {report['messages']} messages, {report['cores']} cores"
    for what, title in NAMES.items():
        medians = {name: statistics.median(each[what]) for name, each in report["seconds"].items()}
        spread = [
            f"{name} {medians[name]:.2f} ({min(each[what]):.2f}-{max(each[what]):.2f})"
            for name, each in report["seconds"].items()
        ]
        ratio = f", ratio {medians['this'] / medians['before']:.2f}" if "before" in medians else ""
        yield f"{title}: {', '.join(spread)}{ratio}"


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError."""
    for name in ("rounds", "messages"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} {getattr(args, name)}: 1 or more")
    result = benchmark(args)
    print(json.dumps(result, indent=2) if args.json else "\n".join(lines(result)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.waits", __doc__)
    options.add_argument("--root", type=Path, help="another checkout, measured in turns with this one")
    options.add_argument("--backend", default="llamacpp", help="what answers; openai: a scripted server (%(default)s)")
    options.add_argument("--rounds", type=int, default=2, help="of each (%(default)s)")
    options.add_argument("--messages", type=int, default=2000, help="of the long chat (%(default)s)")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the lines")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
