"""What a conversation costs once it fills the window: prompt tokens computed a turn, beside a cut that moves each time.

The same talk three times for each backend: cut as the app cuts a conversation that it keeps (`kept`), one that a client
sends whole each time (`sent`), and where the oldest turn that fits begins (`least`). Each turn is a message of so many
tokens, more or fewer by a share where --spread says so, and a reply of an exact length. The local engines count what
they compute themselves; `server` is a scripted server that has no model, keeps the beginning of the last prompt as
servers do, and counts what it would have to compute. The turns before the window is full are left out.

Examples:
  python -m benchmarks.window
  python -m benchmarks.window llamacpp --message 60 --reply 40
  python -m benchmarks.window server --window 8192 --turns 60 --json
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable

import backends
from benchmarks.scripted_server import KEY, MODEL, prompt_for, start_scripted
from benchmarks.texts import TextGenerator
from chains.assistant import MESSAGES_PROMPT
from chains.cut import Cut, lasting_cut, least_cut
from chains.report import Report
from chains.window import fit, window
from prompts.system import system_prompt
from settings import Settings
from training.command import parser, require_positive, run

BACKENDS = ("llamacpp", "gpt2", "server")
CUTS: dict[str, Cut] = {"kept": lasting_cut, "sent": lasting_cut, "least": least_cut}
AIM = 0.3  # of what the least cut has computed


class Turn(NamedTuple):
    """Tokens of a prompt, those of them that were computed, and how many turns were dropped before."""

    prompt: int
    computed: int
    dropped: int


class Talk:
    """One conversation with one model: `ask` gives the next turn."""

    def __init__(self, model: BaseChatModel, cut: str, args: argparse.Namespace) -> None:
        self.model, self.args = model, args
        self._texts, self._lengths = TextGenerator(1), random.Random(1)
        self._fit = partial(fit, cut=CUTS[cut])
        self._before = 0 if cut == "kept" else None
        self._messages: list[BaseMessage] = [SystemMessage(system_prompt(None))]
        options: dict[str, Any] = {"max_tokens": args.reply}
        if hasattr(model, "engine"):
            options["ignore_eos"] = True
        self._model = model.bind(**options)

    async def ask(self) -> Turn:
        """The next turn: a message, and its reply, which is kept."""
        order = "" if hasattr(self.model, "engine") else f" {prompt_for(self.args.reply, 10**6)}"
        length = round(self.args.message * (1 + self.args.spread * self._lengths.uniform(-1, 1)))
        self._messages.append(HumanMessage(self._texts.text(length) + order))
        report, before = Report(), self._prefilled()
        answer = await self._answer(report)
        self._messages.append(AIMessage(str(answer.text)))
        if self._before is not None:
            self._before = report.dropped_messages
        usage = answer.usage_metadata
        prompt = usage["input_tokens"] if usage else 0
        cached = usage.get("input_token_details", {}).get("cache_read", 0) if usage else 0
        computed = prompt - cached if before is None else (self._prefilled() or 0) - before
        return Turn(prompt, computed, report.dropped_turns)

    async def _answer(self, report: Report) -> AIMessage:
        cut = window(self.model, self.args.reply, partial(self._fit, before=self._before))
        chain: Runnable[Any, Any] = MESSAGES_PROMPT | cut | self._model
        answer: AIMessage = reduce(
            add, [each async for each in chain.astream({"messages": self._messages}, {"callbacks": [report]})]
        )
        return answer

    def _prefilled(self) -> int | None:
        engine = getattr(self.model, "engine", None)
        return None if engine is None else int(engine.prefilled_tokens)


async def full_turns(talk: Talk, number: int) -> list[Turn]:
    """So many turns after the first that does not fit. Raises ValueError where the window never fills."""
    for _ in range(10_000):
        turn = await talk.ask()
        if turn.dropped:
            return [turn, *[await talk.ask() for _ in range(number - 1)]]
    raise ValueError("--message: longer ones, the window does not fill")


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """What each cut costs on one backend, and the ratios to the least."""
    rows: dict[str, Any] = {}
    for cut in CUTS:
        backends.unload()
        talk = Talk(backends.load("openai" if name == "server" else name, Settings.read()), cut, args)
        rows[cut] = summary(asyncio.run(full_turns(talk, args.turns)), args.window - args.reply)
    backends.unload()
    for row in rows.values():
        row["ratio"] = round(row["computed"] / rows["least"]["computed"], 3)
    return rows


def summary(turns: Sequence[Turn], room: int) -> dict[str, Any]:
    """What turns cost together, and how much of the room their prompts use."""
    cuts = [turn.dropped for turn in turns]
    used = [turn.prompt / room for turn in turns]
    return {
        "computed": sum(turn.computed for turn in turns),
        "median": statistics.median(turn.computed for turn in turns),
        "cuts": sum(one != other for one, other in itertools.pairwise(cuts)) + 1,
        "used": round(statistics.mean(used), 2),
        "least_used": round(min(used), 2),
    }


def measure_all(args: argparse.Namespace) -> dict[str, Any]:
    """The report, by backend."""
    names = args.backends or BACKENDS
    os.environ.update(OPENAI_API_KEY=KEY, OPENAI_MODEL=MODEL, OPENAI_N_CTX=str(args.window))
    os.environ.update(LLAMACPP_N_CTX=str(args.window))
    with start_scripted() if "server" in names else nullcontext("") as url:
        os.environ["OPENAI_BASE_URL"] = url
        return {name: measure(name, args) for name in names}


def lines(report: dict[str, Any], args: argparse.Namespace) -> Iterator[str]:
    """The report as lines of text."""
    spread = f" (± {args.spread:.0%})" if args.spread else ""
    yield (
        f"{args.turns} turns in a full window of {args.window:,} tokens: messages of {args.message} tokens{spread}, "
        f"replies of {args.reply} (aim: {AIM} of the least cut, or less)"
    )
    yield f"{'':<16}{'computed':>10}{'median':>8}{'ratio':>7}{'cuts':>6}{'used':>7}{'at least':>10}"
    for name, rows in report.items():
        for cut, row in rows.items():
            yield (
                f"{f'{name} {cut}':<16}{row['computed']:>10,}{row['median']:>8,.0f}{row['ratio']:>7.2f}"
                f"{row['cuts']:>6}{row['used']:>7.0%}{row['least_used']:>10.0%}"
            )


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    require_positive(args, "message", "reply", "turns", "window")
    if not 0 <= args.spread < 1:
        raise ValueError(f"--spread {args.spread}: from 0 to less than 1")
    report = measure_all(args)
    print(json.dumps(report) if args.json else "\n".join(lines(report, args)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option is wrong."""
    options = parser("benchmarks.window", __doc__)
    options.add_argument("backends", nargs="*", metavar="BACKEND", choices=[*BACKENDS, []], help="which (all)")
    options.add_argument("--message", type=int, default=150, help="tokens of a message (%(default)s)")
    options.add_argument("--spread", type=float, default=0.0, help="share by which messages differ (%(default)s)")
    options.add_argument("--reply", type=int, default=24, help="tokens of a reply (%(default)s)")
    options.add_argument("--turns", type=int, default=20, help="after the window is full (%(default)s)")
    options.add_argument("--window", type=int, default=1024, help="tokens; gpt2 has its model's (%(default)s)")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
