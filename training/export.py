"""A trained folder to the files that serve, each of them checked against its source before anything is replaced.

    python -m training.export runs/first/model models/mine --licence CC-BY-SA-4.0
    python -m training.export runs/first/model models/mine --format safetensors:fp32,gguf:q8_0 --format onnx
    python -m training.export runs/lora models/mine --name "my talker" --check-data data/valid.jsonl
    python -m training.export runs/chat models/mine --format lora:fp16,lora-gguf:f16 --base-name SmolLM2-135M-Instruct

SOURCE is what training.train wrote: a model, one of its checkpoints, one with a choice head, or a LoRA adapter.
Knows how a folder is put in place; nothing of what is inside its files, and nothing of serving.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import parser, run
from training.formats import ADAPTED, FORMATS, SERVED, Card, Format, Trained, parse_formats

if TYPE_CHECKING:
    from training.formats.check import Reference

# How a reply is drawn where nobody sets an option; every file with a place for it carries it.
SAMPLING: dict[str, float | int] = {"temperature": 0.5, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.15}
# transformers draws nothing at 0; top_k 1 is the likeliest token always.
RANGES = {"temperature": (0.01, 2), "top_p": (0.01, 1), "top_k": (0, 1_000_000), "repetition_penalty": (0.01, 10)}


def export(
    source: Path, target: Path, forms: list[Format], card: Card, data: Path | None = None, base_name: str = ""
) -> list[str]:
    """Write `target` and say what was found. It is complete and right, or as it was. Raises OSError, ValueError.

    Without `forms` it is what the backends load: an adapter of a base that is a GGUF file stays one.
    """
    _check_target(source, target)
    # torch and transformers load here: --help and a wrong path need not wait for them.
    from training.formats import check, samples
    from training.formats.source import load

    trained = load(source, base_name)
    forms = forms or parse_formats(ADAPTED if trained.adapter and trained.adapter[1].is_gguf else SERVED)
    _check_forms(source, forms, trained)
    tried = samples.build_samples(trained.tokenizer, trained.model.config.max_position_embeddings, check.STEPS, data)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=_existing_parent(target)))
    try:
        _write_config(trained, part, card, adapts=forms[0].adapts)
        compared = check.Reference(trained, tried)
        notes = [*trained.notes, *(_write_format(form, part / form.file, target, card, compared) for form in forms)]
        _replace(part, target.resolve())
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return notes


def _check_target(source: Path, target: Path) -> None:
    """Raises ValueError for a target whose replacing would lose something else than a model."""
    if target.resolve() == source.resolve():
        raise ValueError(f"{target} is the source itself: name another folder")
    if target.resolve() in source.resolve().parents:
        raise ValueError(f"{target} holds the source, {source}, and would be replaced: name another folder")
    if target.exists() and not any((target / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise ValueError(f"{target} exists and is no model folder: name a new one")


def _check_forms(source: Path, forms: list[Format], trained: Trained) -> None:
    """Raises ValueError for a format that this source cannot be."""
    family = trained.model.config.model_type
    for form in forms:
        if form.adapts and trained.adapter is None:
            raise ValueError(f"--format {form.name}: {source} is no adapter (training.train --lora makes one)")
        if not form.adapts and family != "gpt2" and not form.name.startswith("safetensors"):
            raise ValueError(f"--format {form.name}: writes gpt2 alone, and this is a {family}: {', '.join(ADAPTED)}")


def _write_format(form: Format, path: Path, target: Path, card: Card, source: "Reference") -> str:
    """One file, written and checked; what is said of it. Raises OSError, ValueError naming it, check and figures."""
    from training.formats import check
    from training.formats.source import first_line

    began = time.monotonic()
    try:
        form.module.write(source.trained, path, form.precision, card)
        beside = [source.trained] if form.adapts else []
        with form.module.open_reader(path, *beside) as reader:
            result = check.check(form, reader, source)
    except (ValueError, RuntimeError) as error:
        problem = f"{target / form.file} ({form.name}) would be broken, nothing is written: {first_line(error)}"
        raise ValueError(problem) from error
    size = path.stat().st_size / 1e6
    return f"{form.file} ({form.name}, {size:.1f} MB, {time.monotonic() - began:.0f} s): {result}"


def _write_config(trained: Trained, part: Path, card: Card, adapts: bool) -> None:
    """What stands in the folder whatever the formats: config, generation config, tokenizer with its template.

    An adapter's base has all but the second itself.
    """
    model, tokenizer = trained.model, trained.tokenizer
    ends = sorted({end for end in (tokenizer.eos_token_id, tokenizer.bos_token_id) if end is not None})
    model.generation_config.update(do_sample=True, eos_token_id=ends or None, **card.sampling)
    model.generation_config.save_pretrained(part)
    if not adapts:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(part)
        tokenizer.save_pretrained(part)


def _existing_parent(target: Path) -> Path:
    """The nearest folder above `target` that there is; on its disk the target is made."""
    return next(folder for folder in target.resolve().parents if folder.is_dir())


def _replace(part: Path, target: Path) -> None:
    """`part` becomes `target`; the card (*.md, *.png) of the one before is kept, and all of it where that fails."""
    for written in part.iterdir():
        written.chmod(0o644)
    part.chmod(0o755)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.replace(part, target)
        return
    for path in (*target.glob("*.md"), *target.glob("*.png")):
        shutil.copy2(path, part / path.name)
    before = part.with_suffix(".before")
    os.replace(target, before)
    try:
        os.replace(part, target)
    except OSError:
        os.replace(before, target)
        raise
    shutil.rmtree(before)


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("training.export", __doc__)
    options.add_argument("source", type=Path, help="folder written by training.train")
    options.add_argument("target", type=Path, help="folder to serve from, replaced when all is written and checked")
    options.add_argument(
        "--format",
        action="append",
        metavar="NAME[,NAME]",
        help=f"{', '.join(FORMATS)}; may be given again (default: {','.join(SERVED)}; of an adapter whose base is a "
        f"GGUF file {','.join(ADAPTED)})",
    )
    options.add_argument("--name", default="llm-assistant small talk", help="of the model, written into the files")
    options.add_argument("--licence", default="CC-BY-SA-4.0", help="written into the files (default: %(default)s)")
    options.add_argument("--description", default="A small demonstration model for everyday chat.", help="likewise")
    options.add_argument("--base-name", default="", help="what an adapter calls its base (default: its file's name)")
    options.add_argument("--check-data", type=Path, help="dialogues (JSONL) to check on, instead of a few that ship")
    for name, value in SAMPLING.items():
        text = "how a reply is drawn where nobody sets it (default: %(default)s)"
        options.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=text)
    args = options.parse_args(argv)
    return run("export", lambda: print("\n".join(_export_options(args)), flush=True))


def _export_options(args: argparse.Namespace) -> list[str]:
    """Raises OSError, ValueError."""
    sampling = {name: getattr(args, name) for name in SAMPLING}
    for name, value in sampling.items():
        low, high = RANGES[name]
        if not low <= value <= high:
            raise ValueError(f"--{name.replace('_', '-')} {value}: it lies between {low} and {high}")
    card = Card(args.name, args.licence, args.description, sampling)
    forms = parse_formats(args.format) if args.format else []
    return export(args.source, args.target, forms, card, args.check_data, args.base_name)


if __name__ == "__main__":
    sys.exit(main())
