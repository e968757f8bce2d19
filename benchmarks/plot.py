"""A run's figures as a picture: tokens a second and time to the first token by chats. Knows results and matplotlib."""

from pathlib import Path
from typing import Any

from benchmarks.figures import Row, Value, first, over, rate


def draw(results: Row, path: Path) -> None:
    """A PNG: a row for each model."""
    from matplotlib.figure import Figure

    models = list(results["models"])
    figure = Figure(figsize=(12, 4.5 * len(models)), layout="constrained")
    grid: Any = figure.subplots(len(models), 2, squeeze=False)
    for model, (speed, wait) in zip(models, grid, strict=True):
        lines(speed, results, model, rate, 1.0)
        speed.set(title=f"{model}: tokens/s, all chats together")
        lines(wait, results, model, lambda chats: first(chats, 0.95), 1000.0)
        wait.set(title=f"{model}: ms to the first token, 95th percentile")
    named = {name: line for axes in grid.flat for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(named.values()), list(named), loc="outside upper center", ncols=5)
    figure.savefig(path, dpi=110)


def lines(axes: Any, results: Row, model: str, measure: Any, scale: float) -> None:
    """A line for each contender, its spread as bars."""
    chats = results["options"]["chats"]
    for number, name in enumerate(results["options"]["contenders"]):
        values: list[tuple[int, Value]] = [(n, measure(n)) for n in chats]
        found = [(n, figure) for n, value in values if (figure := over(results, model, name, value))]
        if found:
            middle = [figure.median * scale for _, figure in found]
            bars = [[(figure.median - figure.least) * scale for _, figure in found],
                    [(figure.most - figure.median) * scale for _, figure in found]]  # fmt: skip
            axes.errorbar([n for n, _ in found], middle, yerr=bars, label=name, color=f"C{number}", marker="o",
                          capsize=3)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="chats at once", xticks=chats, xticklabels=chats)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
