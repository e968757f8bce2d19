"""Which chat template a local model gets: the user's file, the model's own, or plain speaker lines.

Knows files and settings; nothing of messages or of what a template renders.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

from prompts import template as renderer
from settings import Settings

PLAIN = Path(renderer.__file__).with_name("plain.jinja")
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
        if "reasoning_effort" in known:
            return {"reasoning_effort": effort}
        switches = [name for name in ("enable_thinking", "thinking") if name in known]
        return dict.fromkeys(switches, effort != "none") if switches or effort == "none" else None


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
