"""The options that several commands share, as typer reads them. Knows names, bounds and help texts; no command."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

import backends
from settings import SettingsError

KEY = "Where it wants a key, set API_KEY."

Backend = Annotated[
    str | None, typer.Option(help="a backend other than LLM_BACKEND; with --url a model of that server")
]
Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help=f"ask a running server of ours, such as http://localhost:8501. {KEY}"),
]
PersonaName = Annotated[
    str | None, typer.Option(help="who answers: a file of prompts/personas or data/personas, or random")
]
Project = Annotated[
    str | None, typer.Option(metavar="NAME", help="a project: a new conversation begins in it, or its last goes on")
]
System = Annotated[str | None, typer.Option(help="the system prompt, in place of SYSTEM_PROMPT")]
Temperature = Annotated[float | None, typer.Option(min=0, max=2)]
TopP = Annotated[float | None, typer.Option(min=0.01, max=1)]
TopK = Annotated[int | None, typer.Option(min=0)]
MinP = Annotated[
    float | None, typer.Option(min=0, max=1, help="tokens of at least this share of the likeliest one's probability")
]
FrequencyPenalty = Annotated[float | None, typer.Option(min=-2, max=2)]
PresencePenalty = Annotated[float | None, typer.Option(min=-2, max=2)]
RepetitionPenalty = Annotated[float | None, typer.Option(min=0.01, max=2)]
RepeatLastN = Annotated[
    int | None, typer.Option(min=-1, help="how many tokens that penalty looks back, into the prompt too; -1: all")
]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="the longest reply in tokens")]
Thinking = Annotated[
    str | None,
    typer.Option(metavar="EFFORT", help="how much the model thinks before it answers: off, on, low, medium, high"),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1)]


Schema = Annotated[
    Path | None,
    typer.Option("--schema", metavar="FILE", help="a JSON Schema: the reply is JSON that fits it", show_default=False),
]


def response_format(path: Path | None) -> dict[str, Any] | None:
    """The option that holds a reply to the schema in a file; None without one. Raises SettingsError naming the file."""
    if path is None:
        return None
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"--schema {path}: it cannot be read ({error}); name a file with a JSON Schema.") from error
    if not isinstance(schema, dict):
        raise SettingsError(f"--schema {path}: a JSON Schema is an object, as {{}}.")
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}


EFFORTS = {"usual": None, **{backends.effort.describe([each]): each for each in backends.effort.EFFORTS}}


def parse_effort(word: str, name: str = "--thinking") -> str | None:
    """The effort that a word stands for, None for the usual one. Raises SettingsError, which names the option."""
    if word not in EFFORTS:
        raise SettingsError(f"{name} {word}: it is one of {', '.join(EFFORTS)}.")
    return EFFORTS[word]


def drop_unset(**options: Any) -> dict[str, Any]:
    """The options that were given, without those that are None."""
    return {name: value for name, value in options.items() if value is not None}
