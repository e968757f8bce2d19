"""What a form costs: tokens a second of chats that are held to a JSON Schema, beside the same chats without; and how
long a schema takes that is new, and one that was asked for before.

Both kinds of chats take turns in one run, there and back, and say equally many tokens: without a schema no reply ends
by itself, with it none may. Read the ratio; the figures beside it are of this machine, as busy as it was.

Examples:
  python -m benchmarks.forms
  python -m benchmarks.forms --backend gpt2 --chats 1 8 --rounds 5
  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 python -m benchmarks.forms --backend openai   # a llama-server's own loss
"""

import argparse
import asyncio
import statistics
import sys
import time
from typing import Any

import backends
from benchmarks.schemas import options
from settings import Settings
from training.command import parser, require_positive, run

PROMPT = "Write about the people of a small town."
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 30},
        "age": {"type": "integer", "minimum": 1, "maximum": 110},
        "trade": {"enum": ["baker", "smith", "teacher", "sailor", "nurse"]},
        "sentence": {"type": "string", "maxLength": 200},
        "friends": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 5},
    },
    "required": ["name", "age", "trade", "sentence", "friends"],
    "additionalProperties": False,
}
SCHEMA = {"type": "array", "items": PERSON, "minItems": 1_000}  # which no reply here comes to the end of
COMPILED = 20  # schemas, each another one


async def speak(model: Any, chats: int, tokens: int, number: int, held: bool) -> float:
    """Tokens a second of so many chats, which start together."""
    form = options(SCHEMA) if held else {"ignore_eos": True}
    asked = [f"{PROMPT} It has {number * chats + chat + 2} houses." for chat in range(chats)]
    began = time.perf_counter()
    replies = await asyncio.gather(*(model.ainvoke(text, max_tokens=tokens, **form) for text in asked))
    seconds = time.perf_counter() - began
    return sum(int(reply.usage_metadata["output_tokens"]) for reply in replies) / seconds


async def measure(model: Any, chats: int, tokens: int, rounds: int) -> tuple[list[float], list[float]]:
    """Tokens a second without and with the schema, of each round."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for held in (False, True):  # weights are read, and the grammar is made
        await speak(model, chats, 8, 0, held)
    for number in range(rounds):
        for held in (False, True)[:: -1 if number % 2 else 1]:
            found[held].append(await speak(model, chats, tokens, number + 1, held))
    return found[False], found[True]


def compile_times(model: Any) -> tuple[list[float], list[float]]:
    """Seconds that schemas take which are new, and the same ones again."""
    schemas = [{**SCHEMA, "minItems": number} for number in range(1, COMPILED + 1)]
    times: list[list[float]] = [[], []]
    for again in (0, 1):
        for schema in schemas:
            began = time.perf_counter()
            model._demand([], options(schema))
            times[again].append(time.perf_counter() - began)
    return times[0], times[1]


async def report(arguments: argparse.Namespace) -> None:
    """Measure and print. Raises ModelError kinds."""
    with await backends.lease(arguments.backend, Settings.read()) as lease:
        for chats in arguments.chats:
            free, held = await measure(lease.model, chats, arguments.tokens, arguments.rounds)
            ratios = [with_form / without for without, with_form in zip(free, held, strict=True)]
            print(
                f"{chats} chats: {statistics.median(free):,.0f} tokens/s without a schema, "
                f"{statistics.median(held):,.0f} with one; "
                f"ratio {statistics.median(ratios):.2f} ({', '.join(f'{each:.2f}' for each in ratios)})"
            )
        if arguments.backend in backends.LOCAL:  # a server does not say what it compiles
            new, again = compile_times(lease.model)
            print(
                f"a new schema takes {statistics.median(new) * 1000:.1f} ms (at most {max(new) * 1000:.1f}), "
                f"one that was asked for before {statistics.median(again) * 1000:.2f} ms"
            )


def work(arguments: argparse.Namespace) -> None:
    """Check the options and measure. Raises ValueError."""
    require_positive(arguments, "chats", "tokens", "rounds")
    asyncio.run(report(arguments))


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    given = parser("benchmarks.forms", __doc__)
    given.add_argument("--backend", choices=[*backends.LOCAL, "openai"], default="llamacpp")
    given.add_argument("--chats", type=int, nargs="+", default=[8], help="chats at once")
    given.add_argument("--tokens", type=int, default=200, help="tokens of a reply")
    given.add_argument("--rounds", type=int, default=5)
    return run("forms", lambda: work(given.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
