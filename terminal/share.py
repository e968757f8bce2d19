"""The command `share`: links to conversations as they stand, made, listed and revoked. Knows arguments; no table.

What opens them is a running server: its address stands before what is printed.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from settings import Settings, SettingsError
from terminal.archive import Owner, report_errors
from terminal.text import strip_control

OFF = "Links to conversations are off: set SHARE_LINKS=1, for the server as well."


def share(
    identity: Annotated[str | None, typer.Argument(metavar="[ID]", help="the conversation; without one: lists")] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, help="until it opens nothing; SHARE_LINK_DAYS at most, and unless given")
    ] = None,
    branches: Annotated[bool, typer.Option("--branches", help="all branches, not only the shown one")] = False,
    documents: Annotated[
        bool, typer.Option("--documents", help="also names and passages of documents, calls of tools, and thinking")
    ] = False,
    revoke: Annotated[str | None, typer.Option(metavar="LINK", help="have this link open nothing any more")] = None,
    owner: Owner = "terminal",
) -> None:
    """Make a link to a conversation as it is now, which whoever has it may read; or list links.

    Example: SHARE_LINKS=1 python cli.py share ID --days 7
    """
    settings = Settings.read()
    if not settings.share_links:
        raise SettingsError(OFF)
    if days is not None and days > settings.share_link_days:
        raise SettingsError(f"--days={days:g}: at most {settings.share_link_days:g} (SHARE_LINK_DAYS).")
    from conversations import exchange
    from conversations.store import links, open_store

    with report_errors():
        store = open_store(settings, owner)
        if revoke is not None:
            links.revoke(store, revoke)
            print(f"{strip_control(revoke)} opens nothing any more.")
        elif identity is None:
            for link in links.listing(store):
                print(strip_control(_describe(link)))
        else:
            longest = days or settings.share_link_days
            link, token = exchange.share(store, identity, longest, branches=branches, documents=documents)
            print(f"/shared/{token}")
            typer.echo(f"Below the server's address, this once. {_describe(link)}", err=True)


def _describe(link: Any) -> str:
    """A link as a line: what revokes it, until when, and what it shows."""
    end = datetime.fromtimestamp(link.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    also = [*(["all branches"] if link.branches else []), *(["documents"] if link.documents else [])]
    return "  ".join([link.id, f"until {end}", *also, link.title or "Untitled"])
