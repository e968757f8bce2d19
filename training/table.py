"""The report of an evaluation as aligned text and as a plot. Knows the report's keys; nothing of models."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Report = dict[str, Any]
REPLIES = {
    "f1": "F1",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "repeated_4grams": "rep. 4-grams",
    "echoed_4grams": "echoed",
    "words": "words",
    "empty": "empty",
}


def text(report: Report) -> str:
    """All of it, ready to print."""
    parts = []
    if report["sources"]:
        parts.append(aligned([_rank_head(report), *_rank_rows(report)]))
    if any(model["replies"] for model in report["models"]):
        parts.append(aligned([["model", "decoding", "source", "replies", *REPLIES.values()], *_reply_rows(report)]))
    parts += [_samples(model) for model in report["models"]]
    return "\n\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = rows[1:]
    right = [all(row[i] == "-" or row[i][:1].isdigit() for row in body) for i in range(len(widths))]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def number(value: float | int | None, digits: int = 3) -> str:
    """A cell: "-" where there is nothing to say."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


MORE = {"hits_at_1_choice": "choice head", "hits_at_1_unseen": "unseen"}


def _more(report: Report) -> list[str]:
    """The further hits that some model has."""
    return [key for key in MORE if any(key in model["overall"] for model in report["models"])]


def _rank_head(report: Report) -> list[str]:
    more = [MORE[key] for key in _more(report)]
    return ["model", "source", "cases", "hits@1/20", "95% interval", *more, "ppl/token", "ppl/byte", "tokens"]


def _rank_rows(report: Report) -> Iterator[list[str]]:
    for model in report["models"]:
        for source, metrics in _with_overall(model):
            interval = metrics["hits_at_1_interval"]
            more = [number(metrics.get(key)) for key in _more(report)]
            yield [
                model["model"],
                source,
                number(metrics["cases"]),
                number(metrics["hits_at_1"]),
                f"{interval[0]:.3f}-{interval[1]:.3f}" if interval else "-",
                *more,
                number(metrics["perplexity_per_token"], 2),
                number(metrics["perplexity_per_byte"]),
                number(metrics["tokens"]),
            ]


def _reply_rows(report: Report) -> Iterator[list[str]]:
    for model in report["models"]:
        for decoded in model["replies"]:
            for source, metrics in _with_overall(decoded):
                cells = [number(metrics[key], 1 if key == "words" else 3) for key in REPLIES]
                yield [model["model"], decoded["decoding"], source, number(metrics["replies"]), *cells]


def _with_overall(part: Report) -> list[tuple[str, Report]]:
    return [*part["sources"].items(), ("overall", part["overall"])]


def _samples(model: Report) -> str:
    lines = [
        f"  {sample['prompt']}\n    > {' '.join(sample['reply'].split()) or '(empty)'}" for sample in model["samples"]
    ]
    return "\n".join([f"{model['model']} answers (not chosen):", *lines])


def plot(report: Report, path: Path) -> None:
    """hits@1 with its intervals and perplexity per byte by source; the replies' figures by decoding."""
    # Figure without pyplot: no display, no state that outlives it.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), layout="constrained")
    upper = figure.subplots(2, 2)
    models = [(model["model"], dict(_with_overall(model))) for model in report["models"]]
    _bars(upper[0][0], models, "hits_at_1", "hits@1/20 with 95% intervals (dotted: chance)")
    upper[0][0].axhline(0.05, color="grey", linestyle=":")
    _bars(upper[0][1], models, "perplexity_per_byte", "perplexity per byte of the assistant's text")
    decoded = [(model["model"], {d["decoding"]: d["overall"] for d in model["replies"]}) for model in report["models"]]
    _bars(upper[1][0], decoded, "repeated_4grams", "share of repeated 4-grams in replies")
    _bars(upper[1][1], decoded, "f1", "token F1 of replies")
    figure.savefig(path, dpi=120)


def _bars(axes: Any, groups: list[tuple[str, dict[str, Report]]], key: str, title: str) -> None:
    """One group of bars per source or decoding, in it one bar per model."""
    names = list(dict.fromkeys(name for _, rows in groups for name in rows))
    width = 0.8 / max(1, len(groups))
    for i, (label, rows) in enumerate(groups):
        for j, name in enumerate(names):
            metrics = rows.get(name, {})
            value, interval = metrics.get(key), metrics.get("hits_at_1_interval") if key == "hits_at_1" else None
            if value is None:
                continue
            error = [[value - interval[0]], [interval[1] - value]] if interval else None
            x = j + (i - (len(groups) - 1) / 2) * width
            axes.bar(x, value, width, color=f"C{i % 10}", yerr=error, capsize=2, label=label if j == 0 else None)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    axes.set_title(title, fontsize=10)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
