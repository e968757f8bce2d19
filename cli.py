"""The terminal: which commands there are, and how they end. Knows settings; what a command does stands in terminal/."""

import os
import sys
from typing import Annotated, Any

import typer
from langchain_core.exceptions import ModelError

import backends
from settings import ROOT, VERSION, SettingsError
from terminal import archive, mcp, models, status
from terminal import config as settings_page
from terminal.ask import ask
from terminal.chat import chat
from terminal.embed import embed
from terminal.find import find
from terminal.share import share
from terminal.text import strip_control

TALK, KEEP, RUN = "Talk", "What was said", "Run and look"
app = typer.Typer(add_completion=False, no_args_is_help=True, help="One chain, any model: the assistant in a terminal.")
app.command(rich_help_panel=TALK)(chat)
app.command(rich_help_panel=TALK)(ask)
app.command(rich_help_panel=TALK)(find)
app.command("export", rich_help_panel=KEEP)(archive.export)
app.command("import", rich_help_panel=KEEP)(archive.import_)
app.command(rich_help_panel=KEEP)(share)
app.command(rich_help_panel=KEEP)(embed)
app.command(rich_help_panel=KEEP)(archive.vacuum)
app.command("backends", rich_help_panel=RUN)(status.show_status)
app.add_typer(models.app, name="models", rich_help_panel=RUN)
app.command("tools", rich_help_panel=RUN)(mcp.list_tools)
app.command("mcp", rich_help_panel=RUN)(mcp.serve)


def _version(wanted: bool) -> None:
    if wanted:
        print(VERSION)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """What can be said before a command."""


@app.command(rich_help_panel=RUN)
def config(
    markdown: Annotated[bool, typer.Option("--markdown", help="all settings as docs/settings.md has them")] = False,
) -> None:
    """Every setting with its value (secrets masked) and where it came from.

    Example: python cli.py config | grep OPENAI
    """
    from api.settings import all_settings

    groups = all_settings()
    for line in settings_page.reference(groups) if markdown else settings_page.list_values(groups):
        print(line)


@app.command(rich_help_panel=RUN)
def key(name: Annotated[str, typer.Argument(help="whose it is, without spaces and colons")]) -> None:
    """Make a key for the API; what is printed is a line for API_KEYS_FILE, the key itself is told beside it.

    Example: python cli.py key alice >> keys.txt
    """
    from api.http.auth import HASHED_KEY, generate_key, hash_key  # here: no other command needs them

    secret = generate_key()
    line = f"{name}:{hash_key(secret)}"
    if HASHED_KEY.fullmatch(line) is None:
        raise SettingsError(f"NAME={strip_control(name)}: a name has no spaces and no colons and does not begin with #")
    print(f"The key, which is shown this once: {secret}", file=sys.stderr)
    print(line)


@app.command(rich_help_panel=RUN)
def serve() -> None:
    """Start page and API at HOST and PORT.

    Example: PORT=8000 python cli.py serve
    """
    os.chdir(ROOT)  # where .env and .streamlit/config.toml are
    settings = backends.read_settings()
    backends.choose(settings)
    from api.http.state import create_state  # here: no other command needs them
    from server import app as page

    create_state()
    config: dict[str, Any] = {"server.address": settings.host, "server.port": settings.port}
    if settings.host in {"0.0.0.0", "::"}:  # else Streamlit asks a server outside for this machine's address
        config["browser.serverAddress"] = "localhost"
    page.run(config=config)


def main() -> int:
    """Run the command line. 2: a setting or an argument is wrong; 1: the model failed."""
    try:
        app()
    except SettingsError as error:
        print(strip_control(str(error)), file=sys.stderr)
        return 2
    except ModelError as error:
        print(strip_control(str(error)), file=sys.stderr)
        return 1
    except OSError as error:  # stdout on a full disk, a file that cannot be read
        print(strip_control(f"{error.filename or 'stdout'}: {error.strerror}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
