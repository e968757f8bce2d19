"""The commands `models …`: what lies here, what a hub has, download, remove. Knows what is printed; loads no model.

Only `search`, `get` and `info OWNER/NAME` ask the hub, when they are run.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

import backends
from backends import models
from settings import Settings, SettingsError
from terminal.screen import Screen
from terminal.text import escape_control, replace_unencodable

app = typer.Typer(no_args_is_help=True, help="Models on this machine and on the Hugging Face hub.")
Json = Annotated[bool, typer.Option("--json", help="a JSON text instead of lines")]
TICK = 0.2  # seconds between two looks at a download
LIST_HEAD = ("NAME", "KIND", "PARAMETERS", "STORED AS", "WINDOW", "SIZE", "MEMORY", "CAN", "LICENCE", "KEPT BY")
FOUND_HEAD = ("REPOSITORY", "PARAMETERS", "WINDOW", "DOWNLOADS", "LICENCE", "")


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """Every model that lies on this machine, with what it would need of its memory.

    Example: python cli.py models list
    """
    replace_unencodable()
    settings, screen = backends.read_settings(), Screen()
    entries = backends.list_catalogue(settings)
    if as_json:
        _print_json({"models": [describe(entry, settings) for entry in entries]})
        return
    screen.print_table([LIST_HEAD, *(_row(entry, settings) for entry in entries)])
    for entry in entries:
        if entry.problem:
            screen.print_note(f"{entry.name} {entry.problem}.")


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="a model of `models list`, or a repository OWNER/NAME of the hub")],
    as_json: Json = False,
) -> None:
    """All that is known of one model; of a repository on the hub, which models it offers.

    Example: python cli.py models info default/model-f16
    """
    replace_unencodable()
    settings, screen = backends.read_settings(), Screen()
    known = {entry.name for entry in backends.list_catalogue(settings)}
    if name not in known and name.count("/") == 1:
        _print_repository(models.read_repository(name), screen, as_json)
        return
    told = describe(backends.find_in_catalogue(name, settings), settings)
    if as_json:
        _print_json(told)
        return
    screen.print_table([(key.replace("_", " "), _plain(value)) for key, value in told.items() if value is not None])


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="words of the repository's name")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="how many at most")] = 20,
    as_json: Json = False,
) -> None:
    """Find GGUF models on the Hugging Face hub, the most downloaded first.

    Example: python cli.py models search qwen3
    """
    replace_unencodable()
    screen = Screen()
    with screen.reading(lambda: f"Asking the hub for {words}"):
        found = models.search(words, limit)
    if as_json:
        _print_json({"models": [result._asdict() for result in found]})
        return
    if not found:
        screen.print_note("Nothing found.")
        raise typer.Exit(1)
    screen.print_table([FOUND_HEAD, *map(_found_row, found)])


@app.command()
def recommended(as_json: Json = False) -> None:
    """A short list of good small models, and whether each fits into this machine's memory. Asks nobody.

    Example: python cli.py models recommended
    """
    rows = [(each, each.estimate().total) for each in models.RECOMMENDED]
    if as_json:
        told = [
            {
                "name": e.name,
                "get": e.spec,
                "licence": e.licence,
                "size": e.megabytes * 10**6,
                "memory": need,
                "fit": models.judge_here(need),
            }
            for e, need in rows
        ]
        _print_json({"models": told})
        return
    table = [
        (e.name, f"{e.megabytes:,} MB", _memory(need), e.licence, e.about, f"models get {e.spec}") for e, need in rows
    ]
    screen = Screen()
    screen.print_table([("NAME", "SIZE", "MEMORY", "LICENCE", "FOR", "COMMAND"), *table])
    if note := models.none_fits(models.machine_memory()):
        screen.print_note(note)


@app.command()
def get(
    model: Annotated[
        str, typer.Argument(help="OWNER/NAME, or OWNER/NAME:FILE, or OWNER/NAME:Q4_K_M where there are several")
    ],
    as_json: Json = False,
) -> None:
    """Download a model from the Hugging Face hub; after a break the same command goes on where it was.

    Example: python cli.py models get Qwen/Qwen3-0.6B-GGUF
    """
    replace_unencodable()
    settings, screen = backends.read_settings(), Screen()
    running = models.start(model, settings.group(models.ModelsSettings).home)
    with _cancelled_by_interrupt(running, screen), screen.reading(lambda: f"{model}: {running.progress.label}"):
        while running.wait(TICK) == "running":
            pass
    if running.error is not None:
        raise models.HubError(running.error)
    entry = next(each for each in backends.list_catalogue(settings) if each.path == running.path)
    if as_json:
        _print_json(describe(entry, settings))
        return
    screen.print(f"{entry.name} is here: {entry.path}")
    screen.print_note(f"To answer with it: LLM_BACKEND={entry.backend} {_variable(entry)}={entry.path}")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="a model of `models list` that was downloaded by `models get`")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Delete a model that was downloaded by `models get`; those of other programs are theirs.

    Example: python cli.py models remove Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0
    """
    replace_unencodable()
    settings, screen = backends.read_settings(), Screen()
    entry = backends.find_in_catalogue(name, settings)
    if not entry.is_removable:
        models.remove(entry, settings.group(models.ModelsSettings).home)  # raises, with the reason
    if not yes:
        _ask(f"Delete {entry.name}, {models.format_bytes(entry.size)}, in {entry.path.parent}? [y/N] ")
    freed = models.remove(entry, settings.group(models.ModelsSettings).home)
    screen.print(f"{entry.name} is deleted; {models.format_bytes(freed)} are free again.")


def _ask(question: str) -> None:
    """Raises SettingsError where nobody can be asked, typer.Exit for a no."""
    if not sys.stdin.isatty():
        raise SettingsError("Nobody is asked here: say --yes to delete it.")
    if input(question).strip().lower() not in {"y", "yes"}:
        print("Nothing was deleted.")
        raise typer.Exit(1)


@contextmanager
def _cancelled_by_interrupt(running: models.Download, screen: Screen) -> Iterator[None]:
    """A block in which Ctrl-C ends the download, and what is there stays."""
    try:
        yield
    except KeyboardInterrupt:
        running.cancel()
        running.wait()
        screen.print_note("Cancelled. What came is kept: the same command goes on from there.")
        raise


def describe(entry: models.Entry, settings: Settings) -> dict[str, Any]:
    """All that is known of a model, as JSON has it."""
    need = backends.estimate_memory(entry, settings)
    return {
        "name": entry.name,
        "backend": entry.backend,
        "kept_by": str(entry.origin),
        "path": str(entry.path),
        "files": [str(path) for path in entry.files],
        "size": entry.size,
        "architecture": entry.architecture or None,
        "parameters": entry.parameters or None,
        "quantization": entry.quantization or None,
        "window": entry.window,
        "licence": entry.licence or None,
        "template": _template(entry, settings),
        "abilities": sorted(map(str, entry.abilities)),
        "memory": need.total if need else None,
        "memory_weights": need.weights if need else None,
        "memory_context": need.context if need else None,
        "memory_buffers": need.buffers if need else None,
        "fit": models.judge_here(need.total) if need else None,
        "problem": entry.problem,
    }


def _template(entry: models.Entry, settings: Settings) -> str:
    """Whose chat template it would be prompted with."""
    if settings.chat_template is not None:
        return "CHAT_TEMPLATE"
    return "its own" if entry.has_template else "none: plain speaker lines"


def _row(entry: models.Entry, settings: Settings) -> tuple[str, ...]:
    need = None if entry.problem else backends.estimate_memory(entry, settings)
    can = ", ".join(sorted(map(str, entry.abilities))) or ("-" if entry.problem else "complete")
    return (
        entry.name,
        entry.architecture or "-",
        models.format_parameters(entry.parameters),
        entry.quantization or "-",
        f"{entry.window:,}" if entry.window else "-",
        models.format_bytes(entry.size),
        "broken" if entry.problem else _memory(need.total) if need else "-",
        can,
        entry.licence or "-",
        str(entry.origin),
    )


def _found_row(found: models.SearchResult) -> tuple[str, ...]:
    terms = "on terms" if found.is_gated else ""
    window = f"{found.window:,}" if found.window else "-"
    return (
        found.repository,
        models.format_parameters(found.parameters),
        window,
        f"{found.downloads:,}",
        found.licence or "-",
        terms,
    )


def _print_repository(told: models.Repository, screen: Screen, as_json: bool) -> None:
    offers = told.offers()
    if as_json:
        rows = [
            {"get": f"{told.name}:{o.name}", "quantization": o.quantization or None, "size": o.size} for o in offers
        ]
        _print_json({"repository": told.name, "licence": told.licence, "gated": told.is_gated, "models": rows})
        return
    terms = ", its files on terms only" if told.is_gated else ""
    screen.print(f"{told.name}: {told.licence or 'no licence named'}{terms}")
    screen.print_table((o.name, o.quantization or "-", models.format_bytes(o.size)) for o in offers)


def _memory(need: int) -> str:
    fit = models.judge_here(need)
    return models.format_bytes(need) + (f", {fit}" if fit else "")


def _variable(entry: models.Entry) -> str:
    return "LLAMACPP_MODEL" if entry.backend == "llamacpp" else "GPT2_MODEL"


def _plain(value: Any) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def _print_json(value: Any) -> None:
    print(escape_control(json.dumps(value, ensure_ascii=False)))
