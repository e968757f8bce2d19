"""Tabs of one page: they open it, talk, rest and watch; what its process takes meanwhile. Knows no table of figures."""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.browser_tab import Tab
from benchmarks.scripted_server import KEY, prompt_for, reply_words, start_scripted
from benchmarks.targets import free_port, start_server
from settings import ROOT

SECRET = "of a page that nobody else ever sees"
FAST = 0.1  # seconds: a fragment that is looked at more often than this follows a reply
AT_ONCE = 8  # tabs that open or write in the same moment
SETTLE = 2.0  # seconds before a measure begins
MEGABYTE = 1_000_000
LONGEST = 600  # seconds that a watched reply takes, if it is not cut off
PATIENCE = 60.0  # seconds for all to see their replies begin
FIRST = 20  # words of the first reply


@contextmanager
def start_page(database: str, root: Path = ROOT, backend: str = "openai") -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of the page, on this database; `openai` is a scripted server. Raises ValueError."""
    port = free_port()
    with start_scripted() as model:
        own = {
            "LLM_BACKEND": backend,
            "OPENAI_BASE_URL": model,
            "OPENAI_API_KEY": KEY,
            "PORT": str(port),
            "COOKIE_SECRET": SECRET,
            "DATABASE_URL": database,
        }
        with start_server(["cli", "serve"], port, own, root) as target:
            yield f"http://127.0.0.1:{port}", target.process


async def for_each(tabs: list[Tab], do: Callable[[Tab], Awaitable[Any]]) -> None:
    """All of them, a few at once."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def run_tab(tab: Tab) -> None:
        async with turn:
            await do(tab)

    async with asyncio.TaskGroup() as group:
        for tab in tabs:
            group.create_task(run_tab(tab))


async def have_reply(tab: Tab) -> None:
    """Have one reply, and wait until the page rests with it."""
    text = "".join(reply_words(FIRST)).strip()
    await tab.say(prompt_for(FIRST, 100))
    await tab.until(lambda: text in map(str.strip, tab.texts) and not is_watching(tab), "a reply")


def is_watching(tab: Tab) -> bool:
    """Whether it watches a reply that is written."""
    return tab.following or (tab.tick is not None and tab.tick < FAST)


def memory(process: psutil.Process) -> float:
    """The resident memory of a process, in MB."""
    resident: int = process.memory_info().rss
    return round(resident / MEGABYTE, 1)


async def measure_window(process: psutil.Process, tabs: list[Tab], seconds: float) -> dict[str, Any]:
    """Percent of a core of the process and of its clients, and the words: how late each was, and how many a second.

    Where no word comes, the ticks that are answered.
    """
    for tab in tabs:
        tab.answers.clear()
        tab.delays.clear()
    used, client, began = sum(process.cpu_times()[:2]), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    shortest = min((tab.tick for tab in tabs if tab.tick is not None), default=None)
    words = [delay * 1000 for tab in tabs for delay in tab.delays]
    delays = words or [delay * 1000 for tab in tabs for interval, delay in tab.answers if interval == shortest]
    metrics = {
        "percent": (sum(process.cpu_times()[:2]) - used) / took * 100,
        "client_percent": (time.process_time() - client) / took * 100,
        "answers_per_second": len(delays) / took / max(1, len(tabs)),
    }
    if len(delays) > 1:
        metrics |= {"median_ms": statistics.median(delays), "p95_ms": statistics.quantiles(delays, n=20)[-1]}
    return {name: round(value, 2) for name, value in metrics.items()}


def measure(count: int, args: argparse.Namespace) -> dict[str, Any]:
    """All figures of so many tabs. Raises ValueError."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_page(f"sqlite:///{Path(folder) / 'tabs.db'}", args.root) as (address, process),
    ):
        return asyncio.run(measure_page(count, args, address, process))


async def measure_page(count: int, args: argparse.Namespace, address: str, process: psutil.Process) -> dict[str, Any]:
    """All figures of so many tabs of a page that runs. Raises ValueError."""
    async with AsyncExitStack() as stack:
        first = Tab(address)
        await open_tab(stack, first)
        await have_reply(first)
    resident = {"before": memory(process)}
    async with AsyncExitStack() as stack:
        tabs = [Tab(address) for _ in range(count)]
        await for_each(tabs, lambda tab: open_tab(stack, tab))
        resident["open"] = memory(process)
        await for_each(tabs, have_reply)
        resident["talked"] = memory(process)
        await asyncio.sleep(SETTLE)
        idle = await measure_window(process, tabs, args.seconds)
        if args.idle:
            return {"tabs": count, "memory": resident, "idle": idle}
        await for_each(tabs, lambda tab: tab.say(prompt_for(args.rate * LONGEST, args.rate, timed=True)))
        tabs += await open_beside(stack, tabs, args.each - 1)
        await asyncio.gather(*map(wait_watching, tabs))
        await asyncio.sleep(SETTLE)
        watching = {"following": sum(map(is_watching, tabs)), **await measure_window(process, tabs, args.seconds)}
        resident["watching"] = memory(process)
    await asyncio.sleep(SETTLE)
    away = await measure_window(process, [], args.seconds)  # the replies go on
    await asyncio.sleep(args.after)
    resident["closed"] = memory(process)
    return {"tabs": count * args.each, "memory": resident, "idle": idle, "watching": watching, "away": away}


async def open_tab(stack: AsyncExitStack, tab: Tab) -> None:
    """Until a message can be written."""
    await stack.enter_async_context(tab)
    await tab.until(lambda: tab.loaded, "the page")


async def open_beside(stack: AsyncExitStack, tabs: list[Tab], count: int) -> list[Tab]:
    """So many more tabs of each browser, which show what its first one does."""
    await asyncio.gather(*map(wait_watching, tabs))
    more = [Tab(tab.address).beside(tab) for tab in tabs for _ in range(count)]
    await for_each(more, lambda tab: open_tab(stack, tab))
    return more


async def wait_watching(tab: Tab) -> None:
    """Until it watches its reply, or no longer: a process that is overrun never draws them all."""
    with suppress(ValueError):
        await tab.until(lambda: is_watching(tab), "its long reply", PATIENCE)
