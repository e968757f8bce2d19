"""Which chat template a local model gets: the user's file, the model's own, or plain speaker lines.

Knows files and settings, and which of a model's tokens a template writes; nothing of anybody's messages.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from backends.thinking.formats import ThinkingFormat, find_format
from prompts import template as renderer
from prompts.effort import LEVELS, OFF, ON, USUAL_LEVELS
from prompts.special_tokens import SpecialToken, SpecialTokens
from settings import Settings

PLAIN = Path(renderer.__file__).with_name("plain.jinja")
SWITCHES = ("enable_thinking", "thinking")
TALK = ("system", "user", "assistant", "user")
MARKER = re.compile(r"[^\w\s].*\w|_.*\w|<.+>|\[.+\]", re.DOTALL)  # no word, no white space, no punctuation alone
log = logging.getLogger(__name__)


class ChatTemplate(NamedTuple):
    """A Jinja template and, for people, where it comes from."""

    text: str
    origin: str

    def thinking_variables(self, effort: str) -> dict[str, Any] | None:
        """The variables by which this template has the model think so much, or not ("none"); None where it has none.

        The names are those of gpt-oss, of Qwen3 and SmolLM3, and of DeepSeek.
        """
        known = renderer.free_variables(self.text)
        told: dict[str, Any] = dict.fromkeys([name for name in SWITCHES if name in known], effort != OFF)
        levels = self._levels() if effort != OFF else self._written((OFF,))
        if "reasoning_effort" in known and effort in levels:
            told["reasoning_effort"] = effort
        return told if told or effort == OFF else None

    def thinking_efforts(self, thinks: bool) -> tuple[str, ...]:
        """The efforts that this template knows, of a model that `thinks`; any such is told by our engines not to."""
        known = renderer.free_variables(self.text)
        if "reasoning_effort" in known:
            return OFF, *self._levels()
        if any(name in known for name in SWITCHES):
            return OFF, ON
        return (OFF,) if thinks else ()

    def _levels(self) -> tuple[str, ...]:
        """The levels of `reasoning_effort`: those that the template names, where it names several."""
        found = self._written(LEVELS)
        return found if len(found) > 1 else USUAL_LEVELS

    def _written(self, words: Iterable[str]) -> tuple[str, ...]:
        written = set(renderer.literals(self.text))
        return tuple(word for word in words if word in written)

    def thinking_format(self, variables: Mapping[str, Any]) -> ThinkingFormat | None:
        """How models of this template mark what they think; None where they do not think."""
        return find_format("\0".join([self.text, *self._examples(variables), *self._thoughts(variables)]))

    def special_tokens(self, tokens: Iterable[SpecialToken], variables: Mapping[str, Any]) -> SpecialTokens:
        """Those of a model's tokens that are the template's alone to write: a message that spells one stays text.

        Of tokens that are found in plain text too, these are the markers that the template itself writes; others, as
        line breaks and HTML tags, are a way to write text.
        """
        written = "\0".join([*renderer.literals(self.text), *self._examples(variables)])
        return SpecialTokens(
            token for token in tokens if not token.in_plain_text or (MARKER.match(token.text) and token.text in written)
        )

    def turn_ends(self, specials: SpecialTokens, variables: Mapping[str, Any]) -> list[str]:
        """The special tokens that the template writes right behind what the assistant said, one after the other.

        None where the first of them ends thinking as well: the reply goes on behind that.
        """
        said, thought = "\ue000", "\ue001"
        thinking = dict.fromkeys(("reasoning_content", "reasoning", "thinking"), thought)
        rows = [{"role": "user", "content": "u"}, {"role": "assistant", "content": said, **thinking}]
        try:
            segments = renderer.render(self.text, rows, specials, reply=False, **variables).segments
        except ValueError:
            return []
        place = next((i for i, segment in enumerate(segments) if said in segment.text), len(segments))
        behind = takewhile(lambda segment: segment.special, segments[place + 1 :])
        ends = [segment.text for segment in behind]
        stands_behind = ends and not segments[place].text.partition(said)[2].strip()
        start = next((i for i, segment in enumerate(segments) if thought in segment.text), place)
        between = [segment.text for segment in segments[start:place] if segment.special]
        return ends if stands_behind and ends[0] not in between else []

    def _thoughts(self, variables: Mapping[str, Any]) -> Iterable[str]:
        """What the template writes around thinking, by the names that templates have for it."""
        names = ("reasoning_content", "reasoning", "thinking")
        rows = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "", **dict.fromkeys(names, "t")}]
        try:
            yield "".join(part.text for part in renderer.render(self.text, rows, (), reply=False, **variables).segments)
        except ValueError:
            return

    def _examples(self, variables: Mapping[str, Any]) -> Iterable[str]:
        """What the template writes around messages: it may put a token together."""
        for roles in (TALK, TALK[1:]):
            try:
                rows = [{"role": role, "content": "\ue000"} for role in roles]
                yield "".join(part.text for part in renderer.render(self.text, rows, (), **variables).segments)
            except ValueError:
                continue


def template_error(settings: Settings) -> str | None:
    """What is wrong with the user's file, before any model is loaded; None where nothing is."""
    if settings.chat_template is None:
        return None
    try:
        renderer.check_template(settings.chat_template.read_text(encoding="utf-8"))
    except ValueError as error:  # UnicodeDecodeError is one
        return f"CHAT_TEMPLATE={settings.chat_template} is no Jinja template: {error}"
    return None


def choose_template(settings: Settings, saved: str | None, model: str) -> ChatTemplate:
    """The template for a model, which was `saved` with one or with none."""
    if settings.chat_template is not None:
        path = settings.chat_template
        chat_template = ChatTemplate(path.read_text(encoding="utf-8"), f"CHAT_TEMPLATE ({path})")
    elif saved:
        chat_template = ChatTemplate(saved, "saved with the model")
    else:
        origin = "prompts/plain.jinja (the model was saved without one)"
        chat_template = ChatTemplate(PLAIN.read_text(encoding="utf-8"), origin)
    log.info("chat template of %s: %s", model, chat_template.origin)
    return chat_template
