"""Chat templates in the shapes that families of models have them, and talks to try them on; all written for tests.

Each keeps what its family does with messages: how roles are named, what is trimmed, split, refused, left out or put
into JSON, and which tests are made on content.
"""

from pathlib import Path

TEMPLATES = {file.stem: file.read_text("utf-8") for file in sorted(Path(__file__).parent.glob("*.jinja"))}


def talk(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    """Messages of user and assistant in turn, after one of the system."""
    turns = [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


TALKS = [
    talk("hi"),
    talk("hi", system="Be kind."),
    talk("hi", "Hello!", "how are you?"),
    talk("hi", "Hello!", "how are you?", "Fine.", "is x < y, and [1] > z?", system="You are Marta."),
    talk("what is 2+2?", "<think>\nI add.\n</think>\n\n4", "and 3+3?"),
    talk("q", "<think>a</think>b", "r", "<think>\nc\n</think>\nd", "e", system="/no_think Be brief."),
    talk("if a < b: print([1, 2][0])  # <b>bold</b> {{ x }} {% y %}"),
    talk("\n  code:\n    x = [1]\n  ", system="  padded  \n"),
    talk('Größe 東京 🙂 «q» "quoted" \\ back', "ok & <fine>", "'single' & \"double\""),
    talk("", "", "again"),
    talk("/nothink hi", "[link](http://x) " * 9, "/think why? [INST"),
    talk("two", "three", "four", "five", "six", "seven", "eight", system="one"),
    talk("<tool_response>\n{}\n</tool_response>", "ok", "go on"),
    talk("what says [1]?", system="Rules:\n- a\n- b\n\n<docs>\n[1] text\n</docs>"),
    talk("a" * 300 + " <" * 50 + "[x]" * 50),
]
