"""How many replicas, how much storage and what a million tokens costs, from measured figures. Measures nothing itself.

Plain arithmetic: peak replies a second = users x messages / 86,400 x peak; tokens a second = that x tokens of a reply;
replicas = tokens a second / (one replica's tokens a second x how full it may be).

Examples:
  python -m benchmarks.sizing
  python -m benchmarks.sizing --users 10000 --backend mine --speed 900 --cores 4 --price 0.05
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from training.command import parser, run

DAY = 86_400  # seconds


@dataclass(frozen=True)
class Replica:
    """One process that answers: tokens a second of 8 chats together, and the cores that it had."""

    name: str
    speed: float
    cores: int


# `python -m benchmarks`, the table in README.md: 2 cores, through the chain, 8 chats.
MEASURED = (
    Replica("llamacpp, shipped model (10 M)", 1502, 2),
    Replica("llamacpp, 124 M, Q8_0", 221, 2),
    Replica("gpt2, shipped model (10 M)", 845, 2),
    Replica("gpt2, 124 M, fp32", 183, 2),
)
MESSAGE = 770  # bytes in PostgreSQL with all indexes: `python -m benchmarks.store`
IDLE, WATCHING = 0.00006, 0.025  # of a core for an open tab, and for one whose reply grows: `python -m benchmarks.tabs`
RATE = 20  # tokens a second at which a reply grows before somebody who watches it


@dataclass(frozen=True)
class Load:
    """What people do: messages a user and day, tokens of a reply, peak over mean, minutes that a tab stays open."""

    messages: float = 10
    tokens: float = 150
    peak: float = 3
    full: float = 0.6
    minutes: float = 20


def replies(users: int, load: Load) -> float:
    """Replies a second at the peak."""
    return users * load.messages / DAY * load.peak


def replicas(users: int, load: Load, replica: Replica) -> int:
    """How many of them the peak needs, at least one."""
    return max(1, math.ceil(replies(users, load) * load.tokens / (replica.speed * load.full)))


def tabs(users: int, load: Load) -> int:
    """Tabs that are open at the peak, where each user comes once a day."""
    return math.ceil(users * load.minutes * 60 / DAY * load.peak)


def pages(users: int, load: Load) -> int:
    """Processes of the page, a core each: every open tab hears news, and a growing reply is computed and told."""
    watching = replies(users, load) * load.tokens / RATE
    return max(1, math.ceil((tabs(users, load) * IDLE + watching * WATCHING) / load.full))


def gigabytes(users: int, load: Load) -> float:
    """What a year of messages, questions and replies, takes in the database."""
    return users * load.messages * 2 * 365 * MESSAGE / 1e9


def cost(replica: Replica, load: Load, price: float) -> float:
    """The price of a million tokens, where a core costs `price` an hour and the replica is as full as `load` has it."""
    return replica.cores * price / 3600 / (replica.speed * load.full) * 1e6


def table(users: Sequence[int], backends: Sequence[Replica], load: Load, price: float) -> str:
    """Both tables, as Markdown."""
    heads = [f"{count:,}" for count in users]
    rows = [
        ("replies a second at the peak", [_figure(replies(count, load)) for count in users]),
        ("tokens a second at the peak", [_figure(replies(count, load) * load.tokens) for count in users]),
        ("tabs open at the peak", [f"{tabs(count, load):,}" for count in users]),
        ("page processes", [f"{pages(count, load):,}" for count in users]),
        ("database, GB a year", [_figure(gigabytes(count, load)) for count in users]),
        *((f"replicas: {each.name}", [f"{replicas(count, load, each):,}" for count in users]) for each in backends),
    ]
    costs = [f"| {each.name} | {each.speed:,.0f} | {each.cores} | {cost(each, load, price):.2f} |" for each in backends]
    return "\n".join(
        [
            f"| users a day | {' | '.join(heads)} |",
            f"|---|{'---|' * len(heads)}",
            *(f"| {name} | {' | '.join(values)} |" for name, values in rows),
            "",
            "| one replica | tokens/s, 8 chats | cores | a million tokens |",
            "|---|---|---|---|",
            *costs,
        ]
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def main() -> None:
    """The command. Raises ValueError for figures that cannot be."""
    options = _arguments().parse_args()
    if min(*options.users, options.messages, options.tokens, options.peak, options.price, options.full) <= 0:
        raise ValueError("every figure has to be above 0")
    load = Load(options.messages, options.tokens, options.peak, options.full, options.minutes)
    own = [Replica(options.backend, options.speed, options.cores)] if options.speed else MEASURED
    print(table(options.users, own, load, options.price))


def _arguments() -> argparse.ArgumentParser:
    options, usual = parser("benchmarks.sizing", __doc__), Load()
    options.add_argument("--users", type=int, nargs="+", default=[100, 10_000, 1_000_000], help="users a day")
    options.add_argument("--messages", type=float, default=usual.messages, help="messages a user and day")
    options.add_argument("--tokens", type=float, default=usual.tokens, help="tokens of a reply")
    options.add_argument("--peak", type=float, default=usual.peak, help="the busiest minute over the mean")
    options.add_argument("--full", type=float, default=usual.full, help="how full a replica may be at the peak, 0 to 1")
    options.add_argument("--minutes", type=float, default=usual.minutes, help="minutes that a user's tab is open")
    options.add_argument("--price", type=float, default=0.04, help="of a core and hour, in your currency")
    options.add_argument("--backend", default="yours", help="the name of a replica of your own")
    options.add_argument("--speed", type=float, help="its tokens a second, 8 chats together")
    options.add_argument("--cores", type=int, default=2, help="its cores")
    return options


if __name__ == "__main__":
    sys.exit(run("sizing", main))
