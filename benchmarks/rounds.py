"""Ways to train that take turns: what a step is, and how fast each of them takes real tokens in.

Knows models, optimizers and batches as they come; nothing of data and of what the ways are.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from training.packing import Row

Batch = dict[str, torch.Tensor]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Runner:
    """A way to train, and what was measured of it: rates in real tokens a second, `real` of all `total` tokens."""

    batches: Iterator[list[Row]]
    collate: Callable[[list[Row]], Batch]
    model: Any
    optimizer: Any
    precision: str
    rates: list[float] = field(default_factory=list)
    real: int = 0
    total: int = 0

    def measure(self, steps: int) -> None:
        """Train `steps` steps and note real tokens a second."""
        before, began = self.real, time.perf_counter()
        for _ in range(steps):
            self._step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        self.rates.append((self.real - before) / (time.perf_counter() - began))

    def forget(self) -> None:
        """After a round that only warmed up."""
        self.rates, self.real, self.total = [], 0, 0

    def _step(self) -> None:
        batch = self.collate(next(self.batches))
        self.real += int(batch.pop("tokens").sum())
        self.total += batch["input_ids"].numel()
        batch = {name: tensor.to(DEVICE) for name, tensor in batch.items()}
        with torch.autocast(DEVICE, FORMATS[self.precision], enabled=self.precision != "fp32"):
            loss = self.model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def report(self) -> dict[str, Any]:
        """Median and single rates in tokens a second, and the share of padding."""
        rounds = [round(rate, 1) for rate in self.rates]
        median = round(statistics.median(self.rates), 1)
        return {"tokens_per_second": median, "rounds": rounds, "padding": round(1 - self.real / self.total, 4)}


def run_rounds(every: Sequence[Runner], rounds: int, steps: int) -> None:
    """All rounds of all, there and back, so that what else the machine does meets each alike."""
    for runner in every:  # kernels are made, and memory taken, for shapes not met before
        runner.measure(1)
        runner.forget()
    for number in range(rounds):
        for runner in every[:: -1 if number % 2 else 1]:
            runner.measure(steps)
