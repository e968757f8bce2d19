"""Which tokens a reply of a form may go on with, as llguidance computes it beside the model (github.com/guidance-ai).

Knows the bytes of tokens and forms of replies; nothing of how a token is computed or drawn.
"""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from langchain_core.exceptions import ModelAPIError
from numpy.typing import NDArray

from backends.local.response_format import ResponseFormat, locate, with_disjoint_choices
from backends.local.sampling import UnsupportedOptionError

KEPT = 64  # compiled grammars
ROW = 20_000  # ways to go on at one place: objects of some 5,000 optional properties
# As json.dumps writes it: no blank that a small model could repeat without end.
JSON_STYLE: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
UNKNOWN_KEYS = re.compile(r"Unimplemented keys: (\[.*?\])")


class FormError(UnsupportedOptionError):
    """A form cannot be held to; `keywords` are those of its schema that cannot, where it is these."""

    def __init__(self, option: str, text: str, keywords: Sequence[str] = ()) -> None:
        super().__init__(option, text)
        self.keywords = keywords


class Tokens(Protocol):
    """What a grammar asks of a model's vocabulary."""

    vocabulary_size: int

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; none of a special one."""

    def end_tokens(self) -> Collection[int]:
        """Those that end a reply."""


class Grammars:
    """The grammars of one model's vocabulary, compiled once each. May be used by many threads."""

    def __init__(self, tokens: Tokens, encode: Callable[[str], list[int]]) -> None:
        """`encode`: token ids of a text in the middle of another one, before which SentencePiece puts no space."""
        self._tokens, self._encode, self._lock = tokens, encode, threading.Lock()
        self._vocabulary: Any = None
        self._compiled: OrderedDict[ResponseFormat, Any] = OrderedDict()

    def matcher(self, form: ResponseFormat) -> "Matcher":
        """What goes along with one reply of this form. Takes up to a second where the form is new.

        Raises UnsupportedOptionError, naming the keyword and its place, for what cannot be held to.
        """
        return Matcher(self._find(form).deep_copy(), form, self._tokens.vocabulary_size)

    def check(self, form: ResponseFormat) -> None:
        """Raise UnsupportedOptionError for a form that cannot be held to."""
        self._find(form)

    def _find(self, form: ResponseFormat) -> Any:
        with self._lock:
            compiled = self._compiled.pop(form, None)
            if compiled is None:
                compiled = self._compile(form)
            self._compiled[form] = compiled
            while len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
            return compiled

    def _compile(self, form: ResponseFormat) -> Any:
        from llguidance import LLMatcher, LLParserLimits

        if self._vocabulary is None:
            self._vocabulary = _read_vocabulary(self._tokens, self._encode)
        try:
            grammar = _grammar(form)
        except ValueError as error:
            raise _refusal(form, str(error)) from error
        limits = LLParserLimits(max_items_in_row=ROW, step_max_items=10 * ROW)
        matcher = LLMatcher(self._vocabulary, grammar, log_level=0, limits=limits)
        tried = matcher.deep_copy()
        if not matcher.is_error():
            tried.compute_bitmask()  # one that is too large shows it at its first token
        if matcher.is_error() or tried.is_error():
            raise _refusal(form, (matcher if matcher.is_error() else tried).get_error())
        return matcher


class Matcher:
    """One reply's place in its grammar. The next tokens are found in another thread while the model computes."""

    def __init__(self, matcher: Any, form: ResponseFormat, size: int) -> None:
        self._matcher, self._form, self._size = matcher, form, size
        self._next: Future[bytes] | None = None

    def continue_after(self, tokens: Sequence[int]) -> None:
        """Go on after tokens that stand there already. Raises UnsupportedOptionError where they do not fit."""
        if self._matcher.try_consume_tokens(list(tokens)) < len(tokens):
            name = self._form.option
            raise UnsupportedOptionError(
                name.split(".")[0], f"{name}: what the reply says so far has another form. Ask anew, or without it."
            )

    def prepare(self) -> None:
        """Begin to look for the tokens that may come next."""
        if self._next is None:
            self._next = WORKERS.submit(self._matcher.compute_bitmask)

    def allowed(self) -> NDArray[np.bool_] | None:
        """Which tokens may come next, [vocabulary]; None for any. Raises ModelAPIError for too large a grammar."""
        self.prepare()
        assert self._next is not None
        bits, self._next = self._next.result(), None
        if self._matcher.is_error():
            raise ModelAPIError(
                f"{self._form.option}: the reply cannot be held to it ({_first(self._matcher.get_error())})."
            )
        return np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")[: self._size].astype(bool)

    def accept(self, token: int) -> None:
        """Go on after the token that was drawn."""
        self._matcher.consume_token(token)
        if not self._matcher.is_stopped():
            self.prepare()


WORKERS = ThreadPoolExecutor(2, thread_name_prefix="grammar")


def _grammar(form: ResponseFormat) -> str:
    """The grammar as llguidance reads it. Raises ValueError for one that it cannot read."""
    from llguidance import LLMatcher, grammar_from

    if form.kind == "json_schema":
        schema = with_disjoint_choices(json.loads(form.text))
        return str(LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=JSON_STYLE))
    if form.kind == "regex":
        return str(LLMatcher.grammar_from_regex(form.text))
    if form.kind == "lark":
        return str(LLMatcher.grammar_from_lark(form.text))
    return str(grammar_from("choice" if form.kind == "choice" else "gbnf", form.text))


def _refusal(form: ResponseFormat, error: str) -> FormError:
    """Names the keyword and where it stands, where llguidance names one."""
    cause, keywords = _first(error), list[str]()
    if form.kind == "json_schema" and (keys := UNKNOWN_KEYS.search(error)):
        schema, keywords = with_disjoint_choices(json.loads(form.text)), json.loads(keys[1])
    if form.kind == "json_schema" and not keywords and error.startswith("oneOf constraints"):
        schema, keywords = with_disjoint_choices(json.loads(form.text)), ["oneOf"]
    if keywords:
        found = [f"{key} at {locate(schema, key)}" for key in keywords]
        cause = f"{', '.join(found)} cannot be held to"
    text = f"{form.option}: {cause}. Leave it out: nothing is computed with a form that is kept in part."
    return FormError(form.option.split(".")[0], text, keywords)


def _first(error: str) -> str:
    """The first line of an error of llguidance's, which repeats the grammar below it; of a pattern's, what is wrong."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    if lines and lines[0].endswith("regex parse error:"):
        wrong = next((line for line in lines if line.startswith("error: ")), "it is none")
        return f"pattern {lines[1][:80]}: {wrong.removeprefix('error: ')}"
    return (lines or ["unknown"])[0].rstrip(".")[:300]


class _Vocabulary:
    """The form in which llguidance asks for a tokenizer."""

    bos_token_id = None

    def __init__(self, tokens: Tokens, encode: Callable[[str], list[int]]) -> None:
        self.encode = encode
        ends = sorted(tokens.end_tokens())
        self.eos_token_id = ends[0] if ends else 0
        found = [tokens.token_bytes(token) for token in range(tokens.vocabulary_size)]
        self.special_token_ids = [i for i, data in enumerate(found) if not data or i in ends]
        special = set(self.special_token_ids)  # a byte that is never text marks them
        self.tokens = [b"\xff[%d]" % i if i in special else data for i, data in enumerate(found)]

    def __call__(self, text: str | bytes) -> list[int]:
        return self.encode(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def _read_vocabulary(tokens: Tokens, encode: Callable[[str], list[int]]) -> Any:
    """llguidance's view of all tokens; takes up to a second."""
    from llguidance import LLTokenizer, TokenizerWrapper

    ends = sorted(tokens.end_tokens())
    return LLTokenizer(TokenizerWrapper(_Vocabulary(tokens, encode)), n_vocab=tokens.vocabulary_size, eos_token=ends)
