"""The command `ask`: one message, one reply. Knows chain, arguments and pipes; no conversation is kept."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chains.assistant import Retriever, build
from chains.report import Report
from settings import Settings, SettingsError
from terminal import persona as personas
from terminal import picture, source
from terminal.options import (
    Backend,
    FrequencyPenalty,
    MaxTokens,
    MinP,
    PersonaName,
    PresencePenalty,
    RepeatLastN,
    RepetitionPenalty,
    Schema,
    Seed,
    System,
    Temperature,
    Thinking,
    TopK,
    TopP,
    Url,
    drop_unset,
    parse_effort,
    response_format,
)
from terminal.target import choose
from terminal.text import escape_control, replace_unencodable, strip_control

if TYPE_CHECKING:
    from documents.marker import Marker
    from documents.pictures.picture import Picture
    from documents.source import Source

EMPTY_MESSAGE = (
    'The message is empty: write some text (`ask "hi"`), or pipe one in (`cat notes.txt | python cli.py ask`).'
)


def ask(
    text: Annotated[
        str | None, typer.Argument(metavar="[MESSAGE]", help="what is asked; a text from a pipe is added below it")
    ] = None,
    backend: Backend = None,
    url: Url = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="ask it: PDF, DOCX, XLSX, PPTX, EPUB, Markdown, text, CSV, HTML, pictures; may be given twice",
        ),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option("--image", metavar="FILE", help="show it to a model that sees; may be given several times"),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="read all of the files, where the window holds it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object instead of the text")] = False,
    raw: Annotated[bool, typer.Option(help="continue the text as it stands, without chat template")] = False,
    system: System = None,
    persona: PersonaName = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    min_p: MinP = None,
    repetition_penalty: RepetitionPenalty = None,
    repeat_last_n: RepeatLastN = None,
    frequency_penalty: FrequencyPenalty = None,
    presence_penalty: PresencePenalty = None,
    max_tokens: MaxTokens = None,
    seed: Seed = None,
    schema: Schema = None,
    thinking: Thinking = None,
) -> None:
    """Ask one question and print the reply as it comes.

    Example: python cli.py ask "hi, how are you?" --backend llamacpp --seed 1

    Example: cat notes.txt | python cli.py ask "summarise" --json

    Example: python cli.py ask --file notes.pdf "when does it open?"

    Example: python cli.py ask --image photo.jpg "what is on it?"

    Exit: 0, 1 where the model failed, 2 for a wrong setting or argument, 130 after Ctrl-C.
    """
    replace_unencodable()
    message = join_message(text, read_pipe(), beside=bool(images))
    personas.check_exclusive(system, persona)
    if raw and files:
        raise SettingsError(
            "--raw and --file: a text that is only continued has no passages; leave one of the two out."
        )
    if raw and images:
        raise SettingsError("--raw and --image: a text that is only continued shows nothing; leave one of the two out.")
    if whole and not files:
        raise SettingsError("--whole: name what is to be read whole, such as --file notes.pdf.")
    prompt = personas.find(persona).system if persona else system
    options = drop_unset(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        repeat_last_n=repeat_last_n,
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
        max_tokens=max_tokens,
        seed=seed,
        response_format=response_format(schema),
        reasoning_effort=None if thinking is None else parse_effort(thinking),
    )
    target = choose(backend, url)
    pictures = picture.prepare_files(images, target) if images else []
    retriever = _passages(files) if files else None
    chain = build(
        target.settings,
        target.backend,
        system=prompt,
        raw=raw,
        model=target.model,
        options=options,
        retriever=retriever,
        whole=_sections(retriever) if whole and retriever is not None else (),
        shows_pictures=bool(pictures),
    )
    report, reply = asyncio.run(_print_reply(chain, _inputs(message, pictures), quiet=as_json))
    if report.backend != target.backend:
        print(strip_control(f"({report.backend} answered: {report.retries[-1]})"), file=sys.stderr)
    (sources, markers), note = _sources_and_note(reply, message, report, target.settings) if files else (([], ()), None)
    if as_json:
        extra = {"sources": source.cited_to_json(sources, markers), "note": note} if files else {}
        extra |= _thinking(report)
        print(escape_control(json.dumps({"reply": reply, **report.summary(), **extra}, ensure_ascii=False)))
        return
    for line in (*filter(None, (note, report.notice)), *source.format_cited(sources, markers)):
        print(strip_control(line), file=sys.stderr)


def _inputs(message: str, pictures: list["Picture"]) -> dict[str, Any]:
    """What the chain is asked: the message, and with pictures that as a model is shown it."""
    return {"history": [], "input": message} | ({"question": [picture.question(message, pictures)]} if pictures else {})


def _thinking(report: Report) -> dict[str, Any]:
    """What was thought before the reply, its tokens and its time; nothing where nothing was."""
    if report.thinking_ms is None:
        return {}
    told = {"thinking_tokens": report.thinking_tokens, "thinking_ms": report.thinking_ms}
    return {"thinking": report.thinking.text, **told}


def _sections(retriever: Any) -> list[Any]:
    """All of the files that a retriever finds passages in."""
    from documents.whole import sections

    return sections(retriever.index.passages)


def _passages(files: list[Path]) -> Retriever:
    """The retriever of passages of these files. Raises SettingsError."""
    from documents.search import PassageRetriever
    from terminal import file
    from terminal.screen import Screen

    return PassageRetriever(index=file.build_index(files, Screen()))


def _sources_and_note(
    reply: str, question: str, report: Report, settings: Settings
) -> tuple[tuple[list["Source"], tuple["Marker", ...]], str | None]:
    """The passages that the reply was made from and its markers, and the note for its reader; None without one."""
    from conversations.replies import document_note
    from documents.alignment import cited

    return cited(reply, report.passages, question, only_used=report.whole), document_note(report, settings)


def read_pipe() -> str:
    """All of stdin where it is no terminal. Raises SettingsError for what is no text."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"The piped text is not UTF-8 (byte {error.start}): convert it, e.g. with iconv."
        ) from error
    except OSError:  # nohup and the like leave a stdin that nobody can read
        return ""


def join_message(text: str | None, piped: str, *, beside: bool = False) -> str:
    """The message: the argument, then the piped text. Raises SettingsError where both are empty and nothing is beside
    them.
    """
    parts = [part for part in (text or "", piped) if part.strip()]
    if not parts and not beside:
        raise SettingsError(EMPTY_MESSAGE)
    return "\n\n".join(parts) if len(parts) > 1 else "".join(parts)


async def _print_reply(chain: Any, inputs: dict[str, Any], *, quiet: bool) -> tuple[Report, str]:
    """The report and the text of a reply, printed as it comes. Raises OSError where nobody reads stdout any more."""
    report, parts = Report(), []
    async for part in chain.astream(inputs, {"callbacks": [report]}):
        parts.append(part)
        try:
            _print(part, quiet)
        except OSError:  # the loop ends at once and closes what is left of the chain in any order: nothing to tell
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            raise
    _print("\n", quiet)
    return report, "".join(parts)


def _print(text: str, quiet: bool) -> None:
    if not quiet:
        print(strip_control(text), end="", flush=True)
