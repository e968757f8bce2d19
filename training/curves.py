"""A run's log as a picture: losses and learning rate over real tokens. Knows log.jsonl; nothing of models."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_logs(logs: Sequence[Path]) -> list[dict[str, Any]]:
    """Rows of one or more logs that follow each other, each with the `steps` that all of them took so far."""
    rows: list[dict[str, Any]] = []
    for log in logs:
        before = rows[-1]["steps"] if rows else 0
        for line in log.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows.append({**row, "steps": before + row["step"]})
    return rows


def plot_curves(logs: Sequence[Path], out: Path) -> None:
    """Training and validation loss (nats a token) and the learning rate, as PNG."""
    from matplotlib.figure import Figure

    rows = read_logs(logs)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for key, name in (("loss", "training (what is learnt)"), ("eval_loss", "validation (replies)")):
        points = [(row["steps"], row[key]) for row in rows if key in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=name, marker="o" if len(points) < 30 else "")
    axes.set(xlabel="steps", ylabel="loss, nats a token")
    axes.legend(loc="upper right")
    rates = [(row["steps"], row["learning_rate"]) for row in rows if "learning_rate" in row]
    if rates:
        other = axes.twinx()
        other.plot(*zip(*rates, strict=True), color="grey", linestyle=":", linewidth=1)
        other.set(ylabel="learning rate")
    figure.savefig(out, dpi=120)
