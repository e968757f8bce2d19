"""Raw dialogues to one row of token ids per pass. Knows the tokenizer, not the model.

python -m training.prepare --train dialogues.train.jsonl.gz --valid dialogues.valid.jsonl.gz --out runs/first
"""

import argparse
import json
import random
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from prompts import template
from training import dialogue, tokenizer
from training.command import run


def main(argv: list[str] | None = None) -> int:
    """Write tokenizer/, pass-N.npy (uint16 token ids), valid.npy and prepare.json into --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="JSONL of dialogues, .gz or plain")
    parser.add_argument("--valid", type=Path, required=True, help="disjoint dialogues, for the validation loss alone")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--passes", type=int, default=6, help="differently drawn passes over the mix")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--positions", type=int, default=1024)
    parser.add_argument("--smalltalk", type=int, default=40, help="copies of each small-talk block in a pass")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    return run("prepare", lambda: prepare(args))


def prepare(args: argparse.Namespace) -> None:
    """The whole preparation; see `main` for what it writes."""
    rng, mix = random.Random(args.seed), dialogue.Mix()
    train = [d for d in (dialogue.clean(d, mix.longest) for d in dialogue.load(args.train)) if d]
    valid = [d for d in (dialogue.clean(d, mix.longest) for d in dialogue.load(args.valid)) if d]
    system = Path(template.__file__).with_name("system.txt").read_text(encoding="utf-8").strip()
    drawn = [*train, *dialogue.smalltalk(args.smalltalk, rng)]
    texts = (t for d in dialogue.one_pass(drawn, mix, rng) for t in (*d.turns, *(s for p in d.personas for s in p)))
    made = tokenizer.train(texts, args.vocab_size, args.positions)
    args.out.mkdir(parents=True, exist_ok=True)
    made.save_pretrained(args.out / "tokenizer")
    counts: dict[str, int] = {}
    for number in range(args.passes):
        drawn = dialogue.one_pass([*train, *dialogue.smalltalk(args.smalltalk, rng)], mix, rng)
        counts[f"pass-{number}"] = _write(args.out / f"pass-{number}.npy", made, drawn, system, rng)
    counts["valid"] = _write(args.out / "valid.npy", made, valid, system, rng)
    report = {"tokens": counts, "dialogues": {"train": len(train), "valid": len(valid)}, "weights": mix.weights}
    (args.out / "prepare.json").write_text(json.dumps(report, indent=2))
    print(json.dumps(report))


def _write(
    path: Path, made: PreTrainedTokenizerFast, shown: list[dialogue.Dialogue], system: str, rng: random.Random
) -> int:
    rows: list[int] = []
    for one in tqdm(shown, desc=path.stem, unit="dialogue", mininterval=2):
        rows += tokenizer.encode(made, dialogue.messages(one, system, rng))
    np.save(path, np.array(rows, dtype=np.uint16))
    return len(rows)


if __name__ == "__main__":
    sys.exit(main())
