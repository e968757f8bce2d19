"""A run's figures as a picture: tokens a second and time to the first token by chats. Knows results and matplotlib."""

from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Value, first_token, over_rounds, rate


def draw(results: Row, path: Path) -> None:
    """A PNG: a row for each model."""
    from matplotlib.figure import Figure

    models = list(results["models"])
    figure = Figure(figsize=(12, 4.5 * len(models)), layout="constrained")
    grid: Any = figure.subplots(len(models), 2, squeeze=False)
    for model, (speed, wait) in zip(models, grid, strict=True):
        lines(speed, results, model, rate, 1.0)
        speed.set(title=f"{model}: tokens/s, all chats together")
        lines(wait, results, model, lambda chats: first_token(chats, 0.95), 1000.0)
        wait.set(title=f"{model}: ms to the first token, 95th percentile")
    lines_by_name = {
        name: line for axes in grid.flat for line, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(lines_by_name.values()), list(lines_by_name), loc="outside upper center", ncols=5)
    figure.savefig(path, dpi=110)


def lines(axes: Any, results: Row, model: str, measure: Any, scale: float) -> None:
    """A line for each contender, its spread as bars."""
    chats = results["options"]["chats"]
    for number, name in enumerate(results["options"]["contenders"]):
        values: list[tuple[int, Value]] = [(n, measure(n)) for n in chats]
        points = [(n, figure) for n, value in values if (figure := over_rounds(results, model, name, value))]
        if points:
            middle = [figure.median * scale for _, figure in points]
            bars = [
                [(figure.median - figure.least) * scale for _, figure in points],
                [(figure.most - figure.median) * scale for _, figure in points],
            ]
            axes.errorbar(
                [n for n, _ in points], middle, yerr=bars, label=name, color=f"C{number}", marker="o", capsize=3
            )
    axes.set(xscale="log", yscale="log", xlabel="chats at once", xticks=chats, xticklabels=chats)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
