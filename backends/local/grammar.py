"""Which tokens a reply of a form may go on with, as llguidance computes it beside the model (github.com/guidance-ai).

Knows the bytes of tokens and forms of replies; nothing of how a token is computed or drawn.
"""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from langchain_core.exceptions import ModelAPIError
from numpy.typing import NDArray

from backends.local.property_names import uncounted, with_spelled_names
from backends.local.response_format import Kind, ResponseFormat, join_places, locate, with_disjoint_choices
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


class Compiled(NamedTuple):
    """A grammar at its beginning; `text` is what it was made of, in the way of saying it that could be held to."""

    matcher: Any
    text: str


class Grammars:
    """The grammars of one model's vocabulary, compiled once each. May be used by many threads."""

    def __init__(self, tokens: Tokens, encode: Callable[[str], list[int]]) -> None:
        """`encode`: token ids of a text in the middle of another one, before which SentencePiece puts no space."""
        self._tokens, self._encode, self._lock = tokens, encode, threading.Lock()
        self._vocabulary: Any = None
        self._compiled: OrderedDict[ResponseFormat, Compiled] = OrderedDict()

    def matcher(self, form: ResponseFormat) -> "Matcher":
        """What goes along with one reply of this form. Takes up to a second where the form is new.

        Raises UnsupportedOptionError, naming the keyword and its place, for what cannot be held to.
        """
        return Matcher(self._find(form).matcher.deep_copy(), form, self._tokens.vocabulary_size)

    def check(self, form: ResponseFormat) -> None:
        """Raise UnsupportedOptionError for a form that cannot be held to."""
        self._find(form)

    def held_schema(self, form: ResponseFormat) -> Any:
        """The JSON Schema that a reply of this form is held to. Raises UnsupportedOptionError as `check` does."""
        return json.loads(self._find(form).text)

    def _find(self, form: ResponseFormat) -> Compiled:
        with self._lock:
            compiled = self._compiled.pop(form, None)
            if compiled is None:
                compiled = self._compile(form)
            self._compiled[form] = compiled
            while len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
            return compiled

    def _compile(self, form: ResponseFormat) -> Compiled:
        from llguidance import LLMatcher, LLParserLimits

        if self._vocabulary is None:
            self._vocabulary = _read_vocabulary(self._tokens, self._encode)
        limits = LLParserLimits(max_items_in_row=ROW, step_max_items=10 * ROW)
        error = ""
        for text in _ways(form):
            try:
                grammar = _grammar(form.kind, text)
            except ValueError as wrong:
                raise _refusal(form, str(wrong)) from wrong
            matcher = LLMatcher(self._vocabulary, grammar, log_level=0, limits=limits)
            tried = matcher.deep_copy()
            if not matcher.is_error():
                tried.compute_bitmask()  # one that is too large shows it at its first token
            error = str((matcher if matcher.is_error() else tried).get_error() or "")
            if not error:
                return Compiled(matcher, text)
        raise _refusal(form, error)


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


def _ways(form: ResponseFormat) -> list[str]:
    """The text of a form in ways that say the same, the best first; a schema's as JSON."""
    if form.kind != "json_schema":
        return [form.text]
    schema = with_disjoint_choices(json.loads(form.text))
    if places := list(uncounted(schema)):
        found = join_places(places)
        cause = f"minProperties at {found} cannot be held to, since one name may be written several times"
        raise _refuse(form, cause, ["minProperties"])
    return list(dict.fromkeys(json.dumps(each) for each in (with_spelled_names(schema), schema)))


def _grammar(kind: Kind, text: str) -> str:
    """The grammar as llguidance reads it. Raises ValueError for one that it cannot read."""
    from llguidance import LLMatcher, grammar_from

    if kind == "json_schema":
        return str(LLMatcher.grammar_from_json_schema(text, defaults=JSON_STYLE))
    if kind == "regex":
        return str(LLMatcher.grammar_from_regex(text))
    if kind == "lark":
        return str(LLMatcher.grammar_from_lark(text))
    return str(grammar_from("choice" if kind == "choice" else "gbnf", text))


def _refusal(form: ResponseFormat, error: str) -> FormError:
    """Names the keyword and where it stands, where llguidance names one."""
    keywords = list[str]()
    if form.kind == "json_schema" and (keys := UNKNOWN_KEYS.search(error)):
        keywords = json.loads(keys[1])
    elif form.kind == "json_schema" and error.startswith("oneOf constraints"):
        keywords = ["oneOf"]
    schema = with_disjoint_choices(json.loads(form.text)) if keywords else None
    found = [f"{key} at {locate(schema, key)}" for key in keywords]
    return _refuse(form, f"{', '.join(found)} cannot be held to" if found else _first(error), keywords)


def _refuse(form: ResponseFormat, cause: str, keywords: Sequence[str]) -> FormError:
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
