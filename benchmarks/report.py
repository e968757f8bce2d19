"""A run's figures as Markdown: the command, the machine, a table of goals, and tables for each model.

Every number is one of this run. Knows results as JSON has them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmarks.contenders import CONTENDERS
from benchmarks.figures import Figure, Row, Value, first_token, over_rounds, rate, row_value, turn_seconds
from benchmarks.goals import Verdict, megabytes, verdicts

NONE = "-"
Shown = Callable[[Figure], str]


def markdown(results: Row) -> str:
    """The report of all results, as Markdown."""
    parts = [[*head(results)], [*goals(verdicts(results))]]
    for model, about in results["models"].items():
        parts += [
            [f"### {model}: {about}"],
            [*speed(results, model)],
            [*waits(results, model)],
            [*other_measures(results, model)],
        ]
    parts += [[*builds(results)], [*left_out(results)]]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def head(results: Row) -> Iterator[str]:
    """How it was measured, and on what."""
    machine, options = results["machine"], results["options"]
    yield f"    {results['command']}"
    yield ""
    yield (
        f"{machine['cores']} cores, {machine['architecture']} ({' '.join(machine['features'])}), {machine['system']}, "
        f"Python {machine['python']}, "
        + ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        + f". Medians of {options['rounds']} rounds (least to most), each contender in a process of its own, "
        f"{options['threads']} threads; replies of {options['tokens']} tokens, windows of {options['window']}; "
        f"{sum(row['seconds'] for row in results['rows']) / 60:.0f} minutes in all."
    )


def table(title: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Left for words, right for numbers."""
    yield f"| {' | '.join(title)} |"
    yield f"|---|{'---:|' * (len(title) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def goals(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """What was aimed at, and what came of it."""
    rows = []
    for verdict in verdicts:
        goal, unit = verdict.goal, verdict.goal.unit
        measured = spread(verdict.figure, 0 if goal.aim > 100 else 2, unit) if verdict.figure else verdict.reason
        rows.append([f"{goal.what} ({verdict.model})", goal.aimed, measured, verdict_word(verdict.held)])
    return table(["what", "aimed", "measured", ""], rows)


def verdict_word(held: bool | None) -> str:
    """`held` or `missed`; a dash where there is no figure."""
    return NONE if held is None else "held" if held else "missed"


def speed(results: Row, model: str) -> Iterator[str]:
    """The table of tokens a second, a column for each number of chats."""
    chats = results["options"]["chats"]
    title = ["tokens/s, all chats together", *(f"{n} chat{'s' * (n > 1)}" for n in chats)]
    return table(title, by_contender(results, model, [(rate(n), f"{n} chats") for n in chats], lambda f: spread(f, 0)))


def waits(results: Row, model: str) -> Iterator[str]:
    """Milliseconds to the first token: the median and the 95th percentile, each the median of the rounds'."""
    chats = results["options"]["chats"]
    title = ["ms to the first token: median / 95th", *(f"{n} chat{'s' * (n > 1)}" for n in chats)]
    rows = []
    for name in results["options"]["contenders"]:
        pairs = [[over_rounds(results, model, name, first_token(n, share)) for share in (0.5, 0.95)] for n in chats]
        cells = [" / ".join(f"{f.median * 1000:.0f}" for f in pair if f) or NONE for pair in pairs]
        rows.append([name, *cells])
    return table(title, rows)


def other_measures(results: Row, model: str) -> Iterator[str]:
    """Second turns, the start and memory."""
    title, columns = ["ms to the first token, and"], list[tuple[Value, Shown]]()
    for history in results["options"]["histories"]:
        for which, words in (("cold", "cold prompt"), ("second", "second turn")):
            title.append(f"{words}, {history} tokens")
            columns.append((turn_seconds(history, which), lambda f: spread(f, 0, scale=1000)))
    title += ["s from start to first token", "s, `cli.py ask`", "MB resident after 8 chats"]
    columns += [
        (row_value("start"), lambda f: spread(f, 2)),
        (row_value("ask"), lambda f: spread(f, 2)),
        (megabytes, lambda f: spread(f, 0)),
    ]
    rows = [
        [name, *(cell(over_rounds(results, model, name, value), show) for value, show in columns)]
        for name in results["options"]["contenders"]
    ]
    return table(title, rows)


def by_contender(
    results: Row, model: str, columns: Sequence[tuple[Value, str]], show: Shown
) -> Iterator[Sequence[str]]:
    """A row for each; a measure that broke it says so."""
    for name in results["options"]["contenders"]:
        broken = [results["failures"].get(f"{model}/{name}/{measure}", "") for _, measure in columns]
        columns_of_rounds = [over_rounds(results, model, name, value) for value, _ in columns]
        yield [name, *(cell(figure, show, why) for figure, why in zip(columns_of_rounds, broken, strict=True))]


def cell(figure: Figure | None, show: Shown, why: str = "") -> str:
    """A figure, or the first word of why there is none."""
    return show(figure) if figure else (why.split()[0] if why else NONE)


def spread(figure: Figure, digits: int, unit: str = "", scale: float = 1.0) -> str:
    """`median (least-most)`."""
    median, least, most = (f"{value * scale:,.{digits}f}" for value in (figure.median, figure.least, figure.most))
    return f"{median}{unit} ({least}-{most})"


def builds(results: Row) -> Iterator[str]:
    """The builds of llama.cpp, by what they say of themselves."""
    seen: dict[tuple[str, str], None] = {}
    for row in results["rows"]:
        facts = row.get("facts") or {}
        if "build" in facts:
            seen[facts["build"], facts.get("system_info") or "it does not tell"] = None
    for build, info in seen:
        yield f"- {build}: {info}"


def left_out(results: Row) -> Iterator[str]:
    """Whoever could not be measured, and why."""
    for key, reason in {**results["left_out"], **results["failures"]}.items():
        about = CONTENDERS[key].about if key in CONTENDERS else ""
        yield f"- {key}{f' ({about})' if about else ''}: {reason}"
