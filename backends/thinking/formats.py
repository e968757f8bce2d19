"""How models mark what they think: one row for each way, found by what stands in a chat template.

The marks are those of the templates that were published with the models; a copy of most stands in llama.cpp's
`models/templates`. Knows texts; nothing of tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ThinkingFormat:
    """Thinking between one of `openings` and `ending`, then one of `answers` or none, then the answer.

    `closing` is all that a model writes between its thinking and its answer. `tails`: what may end an answer.
    `marks`: what stands in a template of this kind, one of them, and nothing that an earlier row knows.
    """

    name: str
    openings: tuple[str, ...]
    ending: str
    closing: str
    marks: tuple[str, ...]
    models: str
    answers: tuple[str, ...] = ()
    tails: tuple[str, ...] = ()

    @property
    def opening(self) -> str:
        """What begins the thinking, as models write it: on a line of its own where the ending stands on one."""
        first = self.openings[0]
        return first + ("\n" if self.closing.startswith("\n") and not first.endswith("\n") else "")

    def is_open(self, prompt: str) -> bool:
        """Whether a prompt ends inside the thinking: its template begins that itself."""
        text = prompt.rstrip()
        return any(text.endswith(opening.strip()) for opening in self.openings)


def _tags(name: str, opening: str, ending: str, models: str, **more: tuple[str, ...]) -> ThinkingFormat:
    """A format that is an opening and an ending on lines of their own."""
    marks = more.pop("marks", (opening, ending))
    return ThinkingFormat(name, (opening,), ending, f"\n{ending}\n\n", marks, models, **more)


HARMONY_FINAL = "<|start|>assistant<|channel|>final<|message|>"
SOLAR_CONTENT = "<|end|><|begin|>assistant<|content|>"
GLIMMER_USER = "<|eom|><|start|>assistant to=user<|message|>"
KIMI_CLOSING = "<|close|>think<|sep|><|open|>response<|sep|>"
THINK = _tags(
    "think", "<think>", "</think>", "Qwen3, QwQ, DeepSeek, SmolLM3, GLM, MiniMax-M2, Nemotron, LFM2.5, Kimi K2"
)

# Special ones before those whose marks they hold as well.
FORMATS = (
    ThinkingFormat(
        "harmony",
        ("<|channel|>analysis<|message|>", "<|start|>assistant<|channel|>analysis<|message|>"),
        "<|end|>",
        f"<|end|>{HARMONY_FINAL}",
        ("<|channel|>analysis",),
        "gpt-oss",
        answers=(HARMONY_FINAL, "<|channel|>final<|message|>"),
    ),
    ThinkingFormat(
        "gemma", ("<|channel>thought\n",), "<channel|>", "\n<channel|>", ("<|channel>thought", "<|channel>"), "Gemma 4"
    ),
    ThinkingFormat(
        "command",
        ("<|START_THINKING|>",),
        "<|END_THINKING|>",
        "<|END_THINKING|><|START_RESPONSE|>",
        ("<|START_THINKING|>",),
        "Command A Reasoning, Command R7B",
        answers=("<|START_RESPONSE|>", "<|START_TEXT|>"),
        tails=("<|END_RESPONSE|>", "<|END_TEXT|>"),
    ),
    ThinkingFormat(
        "kimi-3",
        ("<|open|>think<|sep|>",),
        "<|close|>think<|sep|>",
        KIMI_CLOSING,
        ("<|close|>think<|sep|>", "<|open|>think<|sep|>"),
        "Kimi K3",
        answers=("<|open|>response<|sep|>",),
        tails=("<|close|>response<|sep|>",),
    ),
    ThinkingFormat(
        "solar",
        ("<|think|>",),
        "<|end|>",
        SOLAR_CONTENT,
        ("<|begin|>assistant<|think|>",),
        "Solar Open",
        answers=("<|begin|>assistant<|content|>", "<|content|>"),
    ),
    ThinkingFormat(
        "glimmer",
        ("to=self<|message|>", "<|start|>assistant to=self<|message|>"),
        "<|eom|>",
        GLIMMER_USER,
        ("to=self<|message|>",),
        "Muse Glimmer",
        answers=("<|start|>assistant to=user<|message|>", "to=user<|message|>"),
    ),
    ThinkingFormat(
        "apriel",
        ("Here are my reasoning steps:\n",),
        "[BEGIN FINAL RESPONSE]",
        "\n[BEGIN FINAL RESPONSE]\n",
        ("[BEGIN FINAL RESPONSE]",),
        "Apriel Thinker",
        tails=("[END FINAL RESPONSE]",),
    ),
    _tags("mistral", "[THINK]", "[/THINK]", "Magistral, Ministral Reasoning"),
    _tags("seed", "<seed:think>", "</seed:think>", "Seed-OSS"),
    _tags("minimax-3", "<mm:think>", "</mm:think>", "MiniMax M3"),
    _tags("hunyuan-3", "<think:opensource>", "</think:opensource>", "Hunyuan 3"),
    _tags("apertus", "<|inner_prefix|>", "<|inner_suffix|>", "Apertus"),
    _tags("kimi-vl", "◁think▷", "◁/think▷", "Kimi VL Thinking"),
    _tags("exaone", "<thought>", "</thought>", "EXAONE Deep"),
    _tags(
        "openthinker",
        "<|begin_of_thought|>",
        "<|end_of_thought|>",
        "OpenThinker, Sky-T1",
        answers=("<|begin_of_solution|>",),
        tails=("<|end_of_solution|>",),
    ),
    _tags("reflection", "<thinking>", "</thinking>", "Reflection, and system prompts that ask for it"),
    _tags(
        "granite",
        "<think>",
        "</think>",
        "Granite 3.3",
        marks=("</think> and write your response between <response>",),
        answers=("<response>",),
        tails=("</response>",),
    ),
    THINK,
)


def find_format(template: str) -> ThinkingFormat | None:
    """The way in which models of this template mark their thinking; None where they do not think."""
    return next((each for each in FORMATS if any(mark in template for mark in each.marks)), None)


def first_of(texts: Sequence[str], held: str) -> str | None:
    """The longest of some texts with which another one begins."""
    return max((text for text in texts if held.startswith(text)), key=len, default=None)
