"""The options that several commands share, as typer reads them. Knows names, bounds and help texts; no command."""

from typing import Annotated, Any

import typer

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
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1)]


def drop_unset(**options: Any) -> dict[str, Any]:
    """The options that were given, without those that are None."""
    return {name: value for name, value in options.items() if value is not None}
