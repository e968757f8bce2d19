"""The command `config`: every setting with its value and origin, or all of them as a Markdown reference.

Knows how settings are printed; no setting by name, and not where they are used.
"""

from collections.abc import Iterator, Sequence

from settings import ROOT, EnvironmentSettings

INTRODUCTION = """\
# Settings

`python cli.py config --markdown` writes this page, and `python cli.py config` shows the values that hold,
secrets masked, each with where it came from. They are read once, at start, from the environment or a `.env`
file in the working folder (copy `.env.example`; `make run` and `cli.py serve` read the one in the project's
folder). The environment wins, an empty value means unset, and a bad value is named before anything loads.

A sampling value that nobody set is not sent to a server. Local models take what was saved with them
(`generation_config.json`, `general.sampling.*`, where 0 or -1 switches an option off), else `MAX_TOKENS` 256 (on `/v1`
the whole window), `TEMPERATURE` 0.7, `TOP_P` 0.9 and `TOP_K` 50, without a penalty. A penalty that somebody sets is for
the tokens of the reply, one that was saved with a model for the whole window; `REPEAT_LAST_N` says otherwise. `TOP_K`,
`REPETITION_PENALTY` and `REPEAT_LAST_N` reach compatible servers; OpenAI itself refuses them."""


def list_values(groups: Sequence[type[EnvironmentSettings]]) -> Iterator[str]:
    """Lines of name, value, origin and meaning. Raises SettingsError for a value that is not allowed."""
    for group in groups:
        for option in group.read().options():
            yield f"{option.name:<24} {option.value or '-':<40} {option.origin:<12} {option.meaning}"


def reference(groups: Sequence[type[EnvironmentSettings]]) -> Iterator[str]:
    """The lines of docs/settings.md: a table for each group, whatever is set where it runs."""
    yield from INTRODUCTION.splitlines()
    for group in groups:
        yield from ("", f"## {_heading(group)}", "", "| variable | default | what it is |", "|---|---|---|")
        for field, info in group.model_fields.items():
            yield f"| `{group.variable(field)}` | {_default(info.default)} | {_cell(info.description or '')} |"


def _heading(group: type[EnvironmentSettings]) -> str:
    """Its title; a backend's settings are headed by the backend's name."""
    return group.title or f"The backend `{group.__module__.rpartition('.')[2]}`"


def _default(value: object) -> str:
    """The default as it would be written into `.env`; empty where there is none."""
    if value in (None, ()):
        return ""
    if isinstance(value, bool):
        return f"`{value:d}`"
    return f"`{str(value).replace(f'{ROOT}/', '')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
