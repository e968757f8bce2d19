"""The command `find`: places in files that fit some words. Knows files; no model is asked and nothing is kept."""

import json
from pathlib import Path
from typing import Annotated

import typer

from settings import SettingsError
from terminal import file, source
from terminal.screen import Screen
from terminal.text import escape_control, replace_unencodable


def find(
    question: Annotated[str, typer.Argument(metavar="WORDS", help="words, or a question")],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="PDF, DOCX, XLSX, PPTX, EPUB, Markdown, text, CSV, HTML, pictures; nothing is kept"
        ),
    ],
    top: Annotated[int | None, typer.Option(min=1, help="the most places that are shown; unset: 8")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of lines")] = False,
) -> None:
    """Find the places in files that fit some words, best first, without any model.

    Example: python cli.py find "opening hours" notes.pdf more.md

    Exit: 0, 1 where nothing was found, 2 for a wrong setting or argument or a file that cannot be read.
    """
    replace_unencodable()
    if not question.strip():
        raise SettingsError("WORDS is empty: say what is to be found.")
    if Path(question).is_file() and not files[-1].exists():
        raise SettingsError(f"{files[-1]}: there is no such file. The words come first: find WORDS FILE…")
    from documents.search import TOP_K
    from documents.source import sources_of

    screen = Screen()
    sources = sources_of(file.build_index(files, screen).search(question, top or TOP_K))
    if as_json:
        print(escape_control(json.dumps({"sources": source.sources_to_json(sources)}, ensure_ascii=False)))
    for line in () if as_json else source.format_sources(sources):
        screen.print(line)
    if not sources:
        screen.print_note("Nothing found.")
        raise typer.Exit(1)
