"""The terminal: one question, export, import, what is ready, what is set. Knows chain and settings, no backend."""

import asyncio
import json
import os
import sys
from typing import Annotated, Any

import typer
from langchain_core.exceptions import ModelError

import backends
from chains.assistant import build
from chains.report import Report
from conversations import archive
from settings import ROOT, Environment, Settings, SettingsError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="One chain, any model: the assistant in a terminal.")
app.command("export")(archive.export)
app.command("import")(archive.import_)
app.command()(archive.vacuum)
Number = float | int | None


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="the message")],
    backend: Annotated[str | None, typer.Option(help="a backend other than LLM_BACKEND")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of the text")] = False,
    raw: Annotated[bool, typer.Option(help="continue the text as it stands, without chat template")] = False,
    system: Annotated[str | None, typer.Option(help="the system prompt for this call")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2)] = None,
    top_p: Annotated[float | None, typer.Option(min=0.01, max=1)] = None,
    top_k: Annotated[int | None, typer.Option(min=0)] = None,
    repetition_penalty: Annotated[float | None, typer.Option(min=0.01, max=2)] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1)] = None,
) -> None:
    """Ask one question and print the reply as it comes.

    Example: python cli.py ask "hi, how are you?" --backend llamacpp --seed 1
    """
    given = {"temperature": temperature, "top_p": top_p, "top_k": top_k, "repetition_penalty": repetition_penalty,
             "max_tokens": max_tokens, "seed": seed}  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    if not text.strip():
        raise SettingsError("The message is empty: write some text.")
    settings = backends.read()
    choice = backends.choose(settings)
    if backend:
        choice = backends.Choice(backends.check(backend, "--backend"), "--backend names it")
    if choice.name is None:
        raise ModelError(choice.reason)
    chain = build(settings, choice.name, system=system, raw=raw, options=options)
    report, reply = asyncio.run(_ask(chain, text, quiet=as_json))
    if report.backend != choice.name:
        print(f"({report.backend} answered: {report.retries[-1]})", file=sys.stderr)
    if as_json:
        print(json.dumps({"reply": reply, **report.summary()}, ensure_ascii=False))


async def _ask(chain: Any, text: str, *, quiet: bool) -> tuple[Report, str]:
    report, parts = Report(), []
    async for part in chain.astream({"history": [], "input": text}, {"callbacks": [report]}):
        parts.append(part)
        if not quiet:
            print(part, end="", flush=True)
    if not quiet:
        print()
    return report, "".join(parts)


@app.command("backends")
def show_backends() -> None:
    """Each backend: ready, or what is missing."""
    settings = backends.read()
    choice = backends.choose(settings)
    for name, problem in backends.status(settings):
        mark = "*" if name == choice.name else " "
        print(f"{mark} {name:<10} {'ready' if problem is None else problem}")
    print(f"\n* {choice.name}: {choice.reason}" if choice.name else f"\n{choice.reason}")


@app.command()
def config() -> None:
    """Every setting with its value (secrets masked) and where it came from."""
    from api.knobs import groups as api_groups

    groups: list[type[Environment]] = [Settings, *api_groups(), *backends.knobs()]
    for group in groups:
        for knob in group.read().knobs():
            print(f"{knob.name:<24} {knob.value or '-':<40} {knob.origin:<12} {knob.meaning}")


@app.command()
def serve() -> None:
    """Start page and API at HOST and PORT."""
    os.chdir(ROOT)  # where .env and .streamlit/config.toml are
    settings = backends.read()
    backends.choose(settings)
    from api import setup  # here: no other command needs them
    from server import app as page

    setup.read()
    config: dict[str, Any] = {"server.address": settings.host, "server.port": settings.port}
    if settings.host in {"0.0.0.0", "::"}:  # else Streamlit asks a server outside for this machine's address
        config["browser.serverAddress"] = "localhost"
    page.run(config=config)


def main() -> int:
    """Run the command line. 2: a setting or an argument is wrong; 1: the model failed."""
    try:
        app()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
