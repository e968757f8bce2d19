"""Texts as the tokens of a model of this process, and back; its prompts as text; vectors from its states.

Knows a loaded model's engine and template; nothing of requests.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from prompts.special_tokens import SpecialTokens

if TYPE_CHECKING:
    from backends.local.engine import Engine


class Tokens:
    """The tokenizer of one loaded model. Raises ModelInvalidRequestError for a model that is a server's."""

    def __init__(self, model: BaseChatModel, name: str) -> None:
        from backends.local.chat import LocalChat  # here: a start needs no numpy

        if not isinstance(model, LocalChat):
            raise ModelInvalidRequestError(
                f"{name}: its tokens are its server's, and not known here. Ask that server, or name a local model."
            )
        self._model, self._engine = model, model.engine

    @property
    def engine(self) -> "Engine":
        """The engine of the model."""
        return self._engine

    @property
    def window(self) -> int:
        """Tokens that a text may have."""
        return self._engine.window

    @property
    def model_name(self) -> str:
        """The model's name for people."""
        return self._model.model_name

    @property
    def template(self) -> str:
        """Its chat template."""
        return self._model.template.text

    @property
    def can_see(self) -> bool:
        """Whether it reads pictures."""
        return bool((self._model.profile or {}).get("image_inputs"))

    @property
    def sampling_defaults(self) -> dict[str, Any]:
        """How a reply is sampled where nobody says it."""
        return self._model.sampling_defaults

    def encode(self, text: str, *, is_begun: bool = False, is_parsed: bool = True) -> list[int]:
        """The ids of a text. `is_begun`: after those that every prompt begins with; `is_parsed`: special ones too."""
        engine = self._engine
        pieces = SpecialTokens(engine.special_tokens).split(text) if is_parsed else [(text, False)]
        found = [[engine.special_id(piece)] if special else engine.encode(piece) for piece, special in pieces]
        return [*(engine.bos_ids if is_begun else ()), *(token for ids in found for token in ids)]

    def check(self, ids: Iterable[int]) -> None:
        """Raise ModelInvalidRequestError for an id that the vocabulary does not have."""
        size = self._engine.vocabulary_size
        wrong = next((token for token in ids if not 0 <= token < size), None)
        if wrong is not None:
            raise ModelInvalidRequestError(f"{wrong} is no token of this model: it has those from 0 to {size - 1}.")

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """The bytes of each token; of a special one those of its name."""
        self.check(ids)
        named = {self._engine.special_id(token.text): token.text.encode() for token in self._engine.special_tokens}
        return [named.get(token) or self._engine.token_bytes(token) for token in ids]

    def prompt(self, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]] = ()) -> str:
        """The prompt of a chat as its template writes it."""
        from backends.local.tools.offer import take

        offer = take({"tools": list(tools)}) if tools else None
        rendered, _ = self._model._prompt(messages, offer=offer)
        return "".join(segment.text for segment in rendered.segments)

    def mean_states(self, texts: Sequence[Sequence[int]]) -> list[list[float]]:
        """A vector for each text of ids. Raises ModelInvalidRequestError for a backend that gives none."""
        for text in texts:
            self.check(text)
        return list(self._engine.mean_states(texts)) if texts else []
