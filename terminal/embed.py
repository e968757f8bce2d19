"""The command `embed`: vectors for documents that are kept already. Knows the store; makes none itself."""

from typing import Annotated

import typer

from settings import Settings, SettingsError
from terminal.archive import Owner
from terminal.screen import Screen
from terminal.text import replace_unencodable

WAIT = 0.2  # seconds between two looks


def embed(
    owner: Owner = "terminal",
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="documents of this name; unset: all")] = None,
) -> None:
    """Have kept documents searched by meaning too, by what EMBEDDINGS names, and wait until they are.

    What is made is kept as it goes: stopped, it goes on where it was. Example: python cli.py embed --owner terminal

    Exit: 0, 1 where vectors could not be made, 2 for a wrong setting or argument.
    """
    from conversations.library import files, vectors
    from conversations.store import open_store

    replace_unencodable()
    screen, store = Screen(), open_store(Settings.read(), owner)
    rows = [row for row in files.listing_all(store) if name in {None, row.name}]
    if name is not None and not rows:
        raise SettingsError(f"NAME={name}: {owner} keeps no document of this name.")
    for row in rows:
        files.embed(store, row.id)
        job = vectors.job_of(store.database, row.id)
        with screen.reading(lambda row=row: files.describe_progress(files.get(store, row.id))):  # type: ignore[misc]
            while job is not None and not job.finished.wait(WAIT):
                pass
        if job is not None and job.error:
            screen.print_note(job.error)
            raise typer.Exit(1)
        screen.print(f"{row.name}: {', '.join(files.describe(files.get(store, row.id)))}, by words and meaning.")
