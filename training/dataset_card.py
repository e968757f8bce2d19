"""What stands beside prepared data: dataset_card.json and a histogram of row lengths. Knows no tokens' meaning."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from training import sources
from training.preparation import Preparation


def describe(preparation: Preparation, cleaned: dict[str, Counter[str]], vocabulary: int) -> dict[str, Any]:
    """Counts, sources with licences, seed and every option."""
    corpus = preparation.corpus
    return {
        "splits": {split: dict(count) for split, count in preparation.counts.items()},
        "cleaning": {source: dict(count) for source, count in cleaned.items()},
        "sources": [
            {"name": s.name, "weight": s.weight, "licence": sources.module(s.name).LICENCE, "sha256": digest(s.raw)}
            for s in [*corpus.sources, *corpus.held_out]
        ],
        "weights": corpus.weights,
        "seed": corpus.seed,
        "val": corpus.share,
        "longest_turn": corpus.cleaner().longest_turn,
        "system_share": preparation.system_share,
        "vocabulary": vocabulary,
        "tokenizer": preparation.tokenizer_name or "trained on these sources",
        "max_length": preparation.max_length,
        "cross": preparation.cross,
        "choices": preparation.choices,
    }


def digest(path: Path | None) -> str | None:
    """SHA-256 of a file; None for folders and what was fetched."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def write(folder: Path, card: dict[str, Any], lengths: Counter[int]) -> None:
    """The card with a hash of each written Arrow file, and lengths.png."""
    card["files"] = {str(p.relative_to(folder)): digest(p) for p in sorted(folder.rglob("*.arrow"))}
    (folder / "dataset_card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False), encoding="utf-8")
    _histogram(folder / "lengths.png", lengths)


def _histogram(path: Path, lengths: Counter[int]) -> None:
    # Figure without pyplot: no display, no state that outlives it.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.hist(list(lengths), weights=list(lengths.values()), bins=min(64, max(lengths)))
    axes.set(xlabel="tokens in a row", ylabel="rows", title=f"{lengths.total():,} rows")
    figure.savefig(path, dpi=120)
