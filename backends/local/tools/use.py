"""Tools for one local model: what stands of them in its prompt, what holds calls to their form, and what reads them.

Knows the rest of this room; nothing of LangChain.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backends.local.engine import Engine
from backends.local.grammar import Grammars, Matcher
from backends.local.prompt import PromptBuilder
from backends.local.response_format import ResponseFormat
from backends.local.tools.formats import Form
from backends.local.tools.grammar import CallGrammar, call_grammar
from backends.local.tools.matching import Boundary, CallMatcher
from backends.local.tools.offer import Offer
from backends.local.tools.opening import Opening, Openings
from backends.local.tools.prompt import ToolPrompts
from backends.local.tools.reading import CallReader
from prompts.template import RenderedPrompt

KEPT = 16  # grammars of offers; the same tools come with each turn


class Calling(NamedTuple):
    """What goes along with a reply that may call: its grammar, its reader, the texts of tokens that mark calls, and
    what of the tools' schemas is left to the model.
    """

    matcher: Matcher
    reader: CallReader
    markers: dict[int, bytes]
    not_held: str | None


class ToolUse:
    """Offers tools to one model."""

    def __init__(self, engine: Engine, builder: PromptBuilder, template: str, grammars: Grammars) -> None:
        self._engine, self._builder, self._grammars = engine, builder, grammars
        self._prompts = ToolPrompts(template, engine.template_variables)
        self._boundary = Boundary(engine)
        self._known: OrderedDict[Any, CallGrammar] = OrderedDict()

    def render(
        self, rows: Sequence[Mapping[str, Any]], offer: Offer | None, options: Mapping[str, Any] | None
    ) -> RenderedPrompt:
        """The prompt of a talk with tools, calls or results in it. Raises ValueError where the template refuses all."""
        error: ValueError | None = None
        for way in self._prompts.write(rows, offer):
            variables = {**(options or {}), **way.variables}
            try:
                return self._builder.render(way.rows, variables, is_arranged=way.is_arranged)
            except ValueError as refused:
                error = error or refused
        assert error is not None
        raise error

    def calling(self, offer: Offer, text: ResponseFormat | None) -> Calling:
        """What goes along with a reply; `text` is the form of one that calls nothing.

        Raises UnsupportedOptionError for arguments that cannot be held to.
        """
        forms, names = self._prompts.format.forms, [tool.name for tool in offer.callable]
        markers = self._builder.silent_tokens(text for form in forms for text in form.texts)
        is_free = offer.choice == "auto" and text is None
        grammar, not_held = self._grammar(
            forms if is_free else forms[:1], offer, None if offer.choice == "required" else text
        )
        matcher = self._grammars.matcher(grammar)
        if is_free:
            matcher = CallMatcher(
                self._engine, Openings(forms, names), self._beginning(grammar), self._boundary, markers
            )
        return Calling(matcher, CallReader(forms, names), markers, not_held)

    def _beginning(self, grammar: ResponseFormat) -> Any:
        def begin(opening: Opening) -> Matcher:
            matcher = self._grammars.matcher(grammar)
            matcher.continue_after(self._tokens(opening.text))
            return matcher

        return begin

    def _grammar(self, forms: Sequence[Form], offer: Offer, text: ResponseFormat | None) -> CallGrammar:
        key = len(forms), offer.most, text, tuple((tool.name, tool.arguments, tool.strict) for tool in offer.callable)
        grammar = self._known.pop(key, None) or call_grammar(forms, offer, self._grammars, self._split, text)
        self._known[key] = grammar
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return grammar

    def _split(self, text: str) -> list[tuple[str, int | None]]:
        """Pieces of a text, with the number of those that are tokens without letters of their own."""
        pieces = self._builder.split(text)
        joined: list[tuple[str, int | None]] = []
        for piece, token in pieces:
            number = token if token is not None and not self._engine.token_bytes(token) else None
            if number is None and joined and joined[-1][1] is None:
                joined[-1] = joined[-1][0] + piece, None
            else:
                joined.append((piece, number))
        return joined

    def _tokens(self, text: str) -> list[int]:
        found: list[int] = []
        for piece, token in self._split(text):
            found += self._builder.encode_written(piece) if token is None else [token]
        return found
