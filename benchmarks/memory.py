"""What models take of memory, beside what was told before they were loaded: each in a process of its own.

Taken is the growth of the process' resident memory from before loading (libraries are imported) to after a first reply.

Examples:
  python -m benchmarks.memory
  python -m benchmarks.memory --one llamacpp models/default/model-f16.gguf
  python -m benchmarks.memory --one llamacpp base.gguf --lora models/smollm2/adapter-f16.gguf
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import llama_library
from benchmarks.models import FOLDER, gpt2
from benchmarks.shapes import SHAPES, write
from settings import ROOT
from training.command import parser, run

WITHIN = 0.15  # of what is measured


class Case(NamedTuple):
    """A model and the backend that loads it."""

    name: str
    backend: str
    path: Path
    adapter: Path | None = None  # beside it


def cases(folder: Path = FOLDER / "shapes") -> Iterator[Case]:
    """The models that ship, the base where it is installed, and files of other shapes, made where they are missing."""
    import backends
    from backends import models
    from settings import Settings

    for entry in backends.list_catalogue(Settings.read()):
        if entry.origin is models.Origin.SHIPPED and entry.problem is None:
            yield Case(f"{entry.name}, {entry.quantization} ({entry.backend})", entry.backend, entry.path)
    if (base := backends.shipped.base_gguf()) and (adapter := backends.shipped.adapter_gguf()):
        yield Case(f"{backends.shipped.BASE_NAME} with its adapter", "llamacpp", base, adapter)
    folder.mkdir(parents=True, exist_ok=True)
    for number, shape in enumerate(SHAPES):
        path = folder / f"{number}-{shape.architecture}-{shape.type}.gguf"
        if not path.is_file():
            write(shape, path)
        yield Case(f"{shape.name} ({shape.type})", "llamacpp", path)
    yield Case("GPT-2 124M, Q8_0", "llamacpp", gpt2().gguf)
    yield Case("GPT-2 124M, through transformers", "gpt2", gpt2().folder)


def measure(case: Case) -> dict[str, Any]:
    """Bytes that were told and taken. Raises ValueError where the process fails."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", case.backend, str(case.path)]
    command += ["--lora", str(case.adapter)] if case.adapter else []
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if process.returncode:
        raise ValueError(f"{case.name}: {(process.stderr.splitlines() or ['?'])[-1]}")
    told: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return {"name": case.name, **told}


def measure_here(backend: str, path: Path, adapter: Path | None = None) -> dict[str, int]:
    """The same of one model, in this process, which it is the first in."""
    import psutil

    import backends
    from backends import models
    from settings import Settings

    _import_libraries(backend)
    told, process = models.estimate(path, adapters=[adapter] if adapter else []), psutil.Process()
    beside = {"lora": (str(adapter),)} if adapter else {}
    settings = backends.with_settings(Settings.read(), backend, model=str(path), **beside)
    before = process.memory_info().rss
    backends.load(backend, settings).invoke("What is the capital of France?", max_tokens=8, seed=1)
    taken = process.memory_info().rss - before
    backends.unload()
    return {"told": told.at_first, "taken": taken, "weights": told.weights, "context": told.context - told.later}


def _import_libraries(backend: str) -> None:
    """What loading would import, and the threads that a first computation starts."""
    if backend == "llamacpp":
        llama_library.load()
        return
    torch, transformers = import_module("torch"), import_module("transformers")
    torch.ones(8, 8) @ torch.ones(8, 8)
    for name in ("AutoModelForCausalLM", "AutoTokenizer", "pipeline"):
        getattr(transformers, name)  # which imports it


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The rows as Markdown."""
    yield "| model | told, MB | taken, MB | told / taken |"
    yield "|---|---|---|---|"
    for row in rows:
        told, taken = row["told"], row["taken"]
        yield f"| {row['name']} | {told / 1e6:,.0f} | {taken / 1e6:,.0f} | {told / taken:.2f} |"


def main(words: Sequence[str] | None = None) -> int:
    """The exit status: 1 where one is further off than WITHIN."""
    options = parser("benchmarks.memory", __doc__)
    options.add_argument("--one", nargs=2, metavar=("BACKEND", "PATH"), help="measure one model in this process")
    options.add_argument("--lora", type=Path, metavar="FILE", help="an adapter beside that GGUF")
    args, rows = options.parse_args(words), list[dict[str, Any]]()

    def work() -> None:
        if args.one:
            print(json.dumps(measure_here(args.one[0], Path(args.one[1]), args.lora)))
            return
        for case in cases():
            rows.append(measure(case))
            print(list(table(rows))[-1], file=sys.stderr)
        print("\n".join(table(rows)))

    return run("memory", work) or int(any(abs(row["told"] / row["taken"] - 1) > WITHIN for row in rows))


if __name__ == "__main__":
    sys.exit(main())
