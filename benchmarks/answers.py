"""How often a small model answers rightly under each choice of sampling options, beside `llama-server`'s own.

100 questions of `answers.csv`: 60 short ones about the world, and 40 about a passage that stands in the prompt as the
app writes it. Each is asked with every seed, eight chats together, 48 tokens a reply. A reply is right where one of the
accepted answers stands in it as whole words, whatever else it says; capital letters do not count. Options that nobody
names are neutral. Knows the local backend and OpenAI's API; no page and no store.

Examples:
  python -m benchmarks.answers SmolLM2-135M-Instruct.Q4_1.gguf
  python -m benchmarks.answers model.gguf --server http://127.0.0.1:8080/v1 --seeds 5
  python -m benchmarks.answers model.gguf --options temperature=0.2 temperature=0.8,min_p=0.05 --json
"""

import argparse
import csv
import json
import re
import statistics
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

import backends
from prompts.passages import quote_passages
from prompts.system import system_prompt
from settings import Settings

QUESTIONS = Path(__file__).with_suffix(".csv")
TOGETHER = 8  # chats
LONGEST = 48  # tokens of a reply
WINDOW = 1024  # tokens, so that each of the chats has memory of its own and a seed holds
ROLES = {"system": "system", "human": "user"}
NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
CHOICES: dict[str, dict[str, float]] = {
    "as until 0.8": {"temperature": 0.7, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1, "repeat_last_n": -1},
    "that penalty, reply alone": {"temperature": 0.7, "top_p": 0.9, "top_k": 50, "repetition_penalty": 1.1},
    "llama-server's, by our sampler": {"temperature": 0.8, "top_p": 0.95, "top_k": 40, "min_p": 0.05},
    "0.7 and min_p 0.1": {"temperature": 0.7, "min_p": 0.1},
    "neutral": {},
    "greedy": {"temperature": 0},
}
Ask = Callable[[Sequence[BaseMessage], int], str]


@dataclass(frozen=True)
class Question:
    """A question, what counts as its answer, and the passage that it is about, empty where there is none."""

    question: str
    accepted: tuple[str, ...]
    passage: str

    def messages(self) -> list[BaseMessage]:
        """The prompt as the app writes it."""
        if not self.passage:
            return [SystemMessage(system_prompt()), HumanMessage(self.question)]
        quoted = quote_passages(self.question, [("notes.txt", self.passage)])
        return [SystemMessage(f"{system_prompt()}\n\n{quoted.rules}"), HumanMessage(quoted.question)]

    def is_right(self, reply: str) -> bool:
        """Whether one of the accepted answers stands in a reply as whole words."""
        return any(re.search(rf"(?<!\w){re.escape(each)}(?!\w)", reply, re.IGNORECASE) for each in self.accepted)


@dataclass(frozen=True)
class Score:
    """Right answers of a choice, of so many asked; `spread` is their standard deviation over the seeds."""

    name: str
    facts: int
    passages: int
    asked: tuple[int, int]
    spread: float


def read_questions(path: Path = QUESTIONS) -> list[Question]:
    """The rows of a file. Raises OSError."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [Question(row["question"], tuple(row["accepted"].split("/")), row["passage"]) for row in rows]


def measure(name: str, ask: Ask, questions: Sequence[Question], seeds: Sequence[int]) -> Score:
    """Ask every question with every seed, several at a time. Raises what asking raises."""
    tasks = [(seed, question) for seed in seeds for question in questions]
    with ThreadPoolExecutor(TOGETHER) as pool:
        replies = list(pool.map(lambda task: ask(task[1].messages(), task[0]), tasks))
    right = [(task, task[1].is_right(reply)) for task, reply in zip(tasks, replies, strict=True)]
    facts = sum(found for (_, question), found in right if not question.passage)
    passages = sum(found for (_, question), found in right if question.passage)
    each = [sum(found for (asked, _), found in right if asked == seed) for seed in seeds]
    about = sum(bool(question.passage) for question in questions) * len(seeds)
    return Score(name, facts, passages, (len(tasks) - about, about), statistics.pstdev(each))


def local(model: Any, options: dict[str, float]) -> Ask:
    """Asks our backend with these options, the others neutral."""

    def ask(messages: Sequence[BaseMessage], seed: int) -> str:
        return str(model.invoke(list(messages), **{**NEUTRAL, **options}, seed=seed, max_tokens=LONGEST).text)

    return ask


def remote(url: str) -> Ask:
    """Asks a server, which samples as it does where nobody says how."""

    def ask(messages: Sequence[BaseMessage], seed: int) -> str:
        rows = [{"role": ROLES[message.type], "content": message.text} for message in messages]
        body = json.dumps({"messages": rows, "seed": seed, "max_tokens": LONGEST}).encode()
        address = url.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return str(json.load(answer)["choices"][0]["message"]["content"])

    return ask


def parse_options(text: str) -> dict[str, float]:
    """`temperature=0.7,top_k=40` to its parts. Raises ArgumentTypeError."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name: int(value) if name in ("top_k", "repeat_last_n") else float(value) for name, value in pairs}
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: write name=number,name=number") from error


def scores(arguments: argparse.Namespace) -> Iterator[Score]:
    """The score of each choice, one after the other. Raises ModelError kinds, OSError."""
    questions, seeds = read_questions()[:: arguments.every], range(1, arguments.seeds + 1)
    if arguments.server:
        yield measure("the server's own", remote(arguments.server), questions, seeds)
    settings = backends.with_settings(Settings.read(), "llamacpp", model=arguments.model, n_ctx=WINDOW)
    model = backends.load("llamacpp", settings)
    defaults = backends.sampling_defaults("llamacpp", settings)
    ours = {"where nobody sets any": {name: defaults[name] for name in NEUTRAL}}
    named = {json.dumps(options): options for options in arguments.options or []}
    for name, options in (named or {**ours, **CHOICES}).items():
        yield measure(name, local(model, options), questions, seeds)


def row(score: Score) -> str:
    """A line of the table."""
    facts, passages = score.asked
    right = score.facts + score.passages
    return (
        f"| {score.name} | {score.facts} of {facts} | {score.passages} of {passages} | "
        f"{right / max(1, facts + passages):.1%} | {score.spread:.1f} |"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    description, _, examples = (__doc__ or "").partition("\nExamples:")
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "benchmarks.answers", None, description, "Examples:" + examples, formatter_class=form
    )
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--server", help="the /v1 of a llama-server with the same file, started with its defaults")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="only every so many of the questions")
    parser.add_argument("--options", type=parse_options, nargs="+", help="these in place of the choices of the table")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    if not arguments.json:
        print("| sampling | short facts | about a passage | all | spread of seeds |\n|---|---|---|---|---|", flush=True)
    for score in scores(arguments):
        print(json.dumps(score.__dict__) if arguments.json else row(score), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
