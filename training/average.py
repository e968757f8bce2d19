"""Several trained models of one shape to the mean of their weights (model soups, Wortsman 2022, arXiv:2203.05482).

A model and what it was fine-tuned from often do better together than either alone (arXiv:2109.01903).

Example:
  python -m training.average models/default runs/mine/model --out runs/mine/average
"""

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

from training.command import parser, run


def average(folders: list[Path], out: Path) -> None:
    """Write the mean model with the first one's tokenizer. Raises ValueError where they do not fit."""
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: name a new folder")
    tokenizer = AutoTokenizer.from_pretrained(folders[0], local_files_only=True)
    model: Any = GPT2LMHeadModel.from_pretrained(folders[0], dtype=torch.float32, local_files_only=True)
    states = [model.state_dict()]
    for folder in folders[1:]:
        if AutoTokenizer.from_pretrained(folder, local_files_only=True).get_vocab() != tokenizer.get_vocab():
            raise ValueError(f"{folder} has another vocabulary than {folders[0]}")
        states.append(GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).state_dict())
        if {k: v.shape for k, v in states[-1].items()} != {k: v.shape for k, v in states[0].items()}:
            raise ValueError(f"{folder} has another shape than {folders[0]}")
    model.load_state_dict({k: torch.stack([s[k] for s in states]).mean(0) for k in states[0]})
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("training.average", __doc__)
    options.add_argument("models", nargs="+", type=Path, metavar="MODEL", help="folder of a trained model")
    options.add_argument("--out", type=Path, required=True, help="folder to write")
    args = options.parse_args(argv)
    return run("average", lambda: average(args.models, args.out))


if __name__ == "__main__":
    sys.exit(main())
