"""How a reply is to be made: by which backend, which of its models, and how it draws tokens. Knows no chain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from settings import Settings


@dataclass(frozen=True)
class GenerationRequest:
    """With what a reply is made; `options` are those of sampling, `model` is a name where a server has several.

    `raw`: the one message is a text that goes on, without any template. `truncate`: messages that the API was given
    lose the oldest turns where they do not fit, as those of a conversation do. `whole`: files that come with such
    messages are read whole, where they fit; a conversation says that of its own.
    """

    settings: Settings
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    raw: bool = False
    truncate: bool = False
    whole: bool = False

    @property
    def reply_tokens(self) -> int | None:
        """Tokens that the reply may have; None where nobody set a number."""
        wanted: int | None = self.options.get("max_tokens") or self.settings.max_tokens
        return wanted
