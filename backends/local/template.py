"""Which chat template a local model gets: the user's file, the model's own, or plain speaker lines."""

import logging
from pathlib import Path

from prompts import template as module
from settings import Settings

PLAIN = Path(module.__file__).with_name("plain.jinja")
log = logging.getLogger(__name__)


def problem(settings: Settings) -> str | None:
    """What is wrong with the user's file, before any model is loaded."""
    if settings.chat_template is None:
        return None
    try:
        module.check_template(settings.chat_template.read_text(encoding="utf-8"))
    except ValueError as error:  # UnicodeDecodeError is one
        return f"CHAT_TEMPLATE={settings.chat_template} is no Jinja template: {error}"
    return None


def choose(settings: Settings, own: str | None, model: str) -> tuple[str, str]:
    """The template and, for people, where it comes from."""
    if settings.chat_template is not None:
        chosen = settings.chat_template.read_text(encoding="utf-8"), f"CHAT_TEMPLATE ({settings.chat_template})"
    elif own:
        chosen = own, "saved with the model"
    else:
        chosen = PLAIN.read_text(encoding="utf-8"), "prompts/plain.jinja (the model was saved without one)"
    log.info("chat template of %s: %s", model, chosen[1])
    return chosen
