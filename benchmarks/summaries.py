"""How many facts of ten turns survive in a summary of them: whether a model may sum up what leaves its window.

Six conversations of `summaries.jsonl`, in each of which the user tells ten facts, are summed up by the app's own
prompt. A fact survives where one of its words stands in the summary. Knows the prompt and who is asked; nothing of
tables.

Examples:
  python -m benchmarks.summaries
  python -m benchmarks.summaries --base base.gguf --adapter lora.gguf --server http://127.0.0.1:8080/v1 --seeds 1
"""

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from benchmarks.answers.__main__ import add_contenders, contenders
from benchmarks.answers.contender import TOGETHER, Ask, asking
from benchmarks.answers.judge import Judge, has_answer
from chains.summary import prompt, transcript
from training.command import parser, run

CONVERSATIONS = Path(__file__).with_suffix(".jsonl")
LONGEST = 256  # tokens of a summary
Conversation = tuple[list[BaseMessage], list[Judge]]


def read_conversations(path: Path = CONVERSATIONS) -> list[Conversation]:
    """What is asked for each conversation, and what judges whether a fact survives. Raises OSError."""
    return [_conversation(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _conversation(turns: Sequence[tuple[str, str, list[str]]]) -> Conversation:
    said = [message for user, reply, _ in turns for message in (HumanMessage(user), AIMessage(reply))]
    asked = prompt(LONGEST).invoke({"text": transcript(None, said)}).to_messages()
    return asked, [has_answer(words) for *_, words in turns]


def measure(ask: Ask, conversations: Sequence[Conversation], seeds: Sequence[int]) -> list[int]:
    """The facts that survive in each summary. Raises what asking raises."""
    tasks = [(seed, conversation) for seed in seeds for conversation in conversations]
    with ThreadPoolExecutor(TOGETHER) as pool:
        summaries = list(pool.map(lambda task: ask(task[1][0], task[0]), tasks))
    return [sum(judge(text) for judge in task[1][1]) for task, text in zip(tasks, summaries, strict=True)]


def lines(counts: dict[str, list[int]]) -> Iterator[str]:
    """The table."""
    yield "| | facts of ten | least | most |\n|---|---|---|---|"
    for name, each in counts.items():
        yield f"| {name} | {statistics.mean(each):.1f} | {min(each)} | {max(each)} |"


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    options = parser("benchmarks.summaries", __doc__)
    add_contenders(options)
    options.add_argument("--seeds", type=int, default=3, help="seeds of every summary (%(default)s)")
    arguments = options.parse_args(argv)

    def work() -> None:
        counts: dict[str, list[int]] = {}
        try:
            for contender in contenders(arguments):
                with asking(contender, LONGEST) as ask:
                    counts[contender.name] = measure(ask, read_conversations(), range(1, arguments.seeds + 1))
        except ModelError as error:
            raise ValueError(str(error)) from error
        print("\n".join(lines(counts)))

    return run("summaries", work)


if __name__ == "__main__":
    sys.exit(main())
