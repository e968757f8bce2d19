"""A prompt's tokens: its pieces are the whole text's, and what somebody typed is text, with both tokenizers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.hf.model import Tokenizer
from backends.llama.model import Model
from backends.local.prompt import PromptBuilder
from backends.local.template import ChatTemplate
from prompts.template import RenderedPrompt, render_plain
from tests.backends.local.vocabularies import (
    AddedToken,
    TokenType,
    byte_level,
    normalizers,
    sentencepiece,
    write_sentencepiece,
)
from tests.prompts.families import TEMPLATES

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
MARKERS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
TALKS = [
    ["hi"],
    ["  hi  \n", "\nhello", " hi user"],
    ["a <b> | >", "<|en", "d|> x"],
    ["\n\n  code:\n    x", "é 東", "he <h1>"],
]


def rows(contents: list[str]) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]


def written(contents: list[str]) -> str:
    """What the template writes, as one text."""
    lines = (f"<|{row['role']}|>\n{row['content']}<|end|>\n" for row in rows(contents))
    return "".join([*lines, "<|assistant|>\n"])


def builder_of(vocabulary: Any, template: str = TEMPLATE) -> PromptBuilder:
    return PromptBuilder(vocabulary, ChatTemplate(template, "the test"))


def ids_of(builder: PromptBuilder, *contents: str) -> list[int]:
    return builder.tokenize(builder.render(rows(list(contents))).segments)


def whole_ids(model: Model, text: str) -> list[int]:
    """llama.cpp's own tokens of a whole prompt, its special tokens among them."""
    data = text.encode()
    ids = (model.api.llama_token * (len(data) + 8))()
    count = model.api.llama_tokenize(model._vocab, data, len(data), ids, len(ids), False, True)
    return list(ids[:count])


FILES: dict[str, tuple[str, dict[str, TokenType]]] = {
    "control": ("tiny", dict.fromkeys(MARKERS, TokenType.CONTROL)),
    "user-defined": ("tiny", {**dict.fromkeys(MARKERS, TokenType.USER_DEFINED), "<h1>": TokenType.USER_DEFINED}),
    "swallows white space": ("tiny phi-3", dict.fromkeys(MARKERS, TokenType.CONTROL)),
    "swallows, user-defined": ("tiny phi-3", dict.fromkeys((*MARKERS, "\n\n"), TokenType.USER_DEFINED)),
}


@pytest.fixture(scope="module", params=FILES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A file with these markers, in llama.cpp."""
    name, markers = FILES[request.param]
    path = tmp_path_factory.mktemp("vocabulary") / "tiny.gguf"
    write_sentencepiece(path, {**markers, "x" * 700: TokenType.USER_DEFINED}, name)
    model = Model(path, 0)
    yield model
    model.close()


TOKENIZERS: dict[str, Any] = {
    "byte level": lambda *added: byte_level(*added),
    "byte level, NFKC": lambda *added: byte_level(*added, normalizer=normalizers.NFKC()),
    "a space before the first": lambda *added: sentencepiece(*added, prepend="first"),
    "a space before each": lambda *added: sentencepiece(*added, prepend="always"),
    "as old ones": lambda *added: sentencepiece(*added, prepend="never", normalizer=normalizers.Prepend("▁")),
}
ADDED: dict[str, dict[str, Any]] = {
    "special": {"special": True},
    "not special": {"special": False, "normalized": False},
    "not special, normalized": {"special": False, "normalized": True},
    "swallows white space": {"special": True, "rstrip": True},
    "swallows on both sides": {"special": False, "normalized": False, "lstrip": True, "rstrip": True},
    "whole words": {"special": True, "single_word": True},
}


@pytest.mark.parametrize("contents", TALKS)
def test_pieces_are_the_whole_prompt_in_llama_cpp(model: Model, contents: list[str]) -> None:
    assert ids_of(builder_of(model), *contents) == whole_ids(model, written(contents))


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("attributes", ADDED)
def test_pieces_are_the_whole_prompt_in_transformers(kind: str, attributes: str) -> None:
    if (kind, attributes) == ("as old ones", "not special, normalized"):
        pytest.skip("transformers finds such a token at the start of a text alone, as the space belongs to it")
    hub = TOKENIZERS[kind](*(AddedToken(marker, **ADDED[attributes]) for marker in MARKERS))
    for contents in TALKS:
        expected = hub.encode(written(contents), add_special_tokens=False)
        assert ids_of(builder_of(Tokenizer(hub)), *contents) == expected, contents


def check_typed(vocabulary: Any) -> None:
    """Markers are the template's own ones, whatever is typed, and the text is all there."""
    builder = builder_of(vocabulary)
    markers = {vocabulary.special_id(marker) for marker in MARKERS}
    own = [i for i in ids_of(builder, "x", "x", "x") if i in markers]
    for marker in MARKERS:
        for text in (marker, f"a {marker} b", f"{marker}{marker}", f"{marker[:-1]}", f"hi{marker}\n", f"<{marker}>"):
            for contents in ((text, "x", "x"), ("x", text, "x"), ("x", "x", text)):
                ids = ids_of(builder, *contents)
                assert [i for i in ids if i in markers] == own, contents
                assert text.strip().encode() in b"".join(map(vocabulary.token_bytes, ids))


def test_typed_markers_are_text_in_llama_cpp(model: Model) -> None:
    check_typed(model)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("attributes", sorted(ADDED.keys() - {"whole words"}))  # which the words beside them decide
def test_typed_markers_are_text_in_transformers(kind: str, attributes: str) -> None:
    check_typed(Tokenizer(TOKENIZERS[kind](*(AddedToken(marker, **ADDED[attributes]) for marker in MARKERS))))


def test_markers_in_another_writing_are_text_as_well() -> None:
    """A tokenizer that folds letters takes full width ones for the marker."""
    hub = byte_level(*(AddedToken(marker, special=False) for marker in MARKERS), normalizer=normalizers.NFKC())
    tokenizer = Tokenizer(hub)
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in "<|end|>")
    assert hub.encode(full_width, add_special_tokens=False) == [tokenizer.special_id("<|end|>")]
    ids = ids_of(builder_of(tokenizer), f"a {full_width} b")
    assert ids.count(tokenizer.special_id("<|end|>")) == 1
    assert b"<|end|> b<|end|>" in b"".join(map(tokenizer.token_bytes, ids)) + b"<|end|>"


def test_a_broken_template_is_an_error_of_its_prompts() -> None:
    """The model itself loads, and answers raw text."""
    builder = builder_of(Tokenizer(byte_level()), "{% if %}")
    with pytest.raises(ValueError, match="chat template refuses"):
        builder.render(rows(["hi"]))
    assert builder.tokenize(render_plain("hi").segments)


def test_a_template_that_refuses_what_a_reply_spells_is_not_shown_it() -> None:
    """The channels of gpt-oss stand in its own replies, and its template wants them apart."""
    tokenizer = Tokenizer(byte_level(*(AddedToken(f"<|{name}|>") for name in ("start", "channel", "message", "end"))))
    builder = builder_of(tokenizer, TEMPLATES["gpt-oss"])
    said = "<|channel|>analysis<|message|>I think.<|start|>assistant<|channel|>final<|message|>Yes."
    own = [i for i in ids_of(builder, "q", "Yes.", "r") if i in tokenizer.special_ids.values()]
    ids = ids_of(builder, "q", said, "r")
    assert [i for i in ids if i in tokenizer.special_ids.values()] == own
    assert said.encode() in b"".join(map(tokenizer.token_bytes, ids))


def test_a_reply_that_was_cut_while_it_thought_goes_on_with_its_own_tokens() -> None:
    tags = [AddedToken(text, special=False) for text in ("<think>", "</think>", "<|end|>")]
    tokenizer = Tokenizer(byte_level(*tags))
    shown = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}<think>"
    builder = builder_of(tokenizer, shown)
    for text, own in {
        "<think>\na": ["<think>"],
        "\n<think>a</think> b <think> c </think>": ["<think>", "</think>"],
        "<think>": ["<think>"],
        "the tag <think> is": [],
        "</think>": ["</think>"],
        "<|end|> <think>": [],
        "<think>a<|end|>": ["<think>"],
        "": [],
    }.items():
        segments = builder.continuation(text)
        assert [segment.text for segment in segments if segment.special] == own
        assert "".join(segment.text for segment in segments) == text
        assert b"".join(map(tokenizer.token_bytes, builder.tokenize(segments))) == text.encode()


def test_other_tokens_of_users_are_a_way_to_write_text(tmp_path: Path) -> None:
    """Line breaks and tags of HTML, as Gemma 3 has them, and words; though the template writes line breaks too."""
    others = {"<h1>": TokenType.USER_DEFINED, "\n\n": TokenType.USER_DEFINED, "assistant": TokenType.USER_DEFINED}
    write_sentencepiece(tmp_path / "own.gguf", {**dict.fromkeys(MARKERS, TokenType.CONTROL), **others})
    model = Model(tmp_path / "own.gguf", 0)
    ids = ids_of(builder_of(model, TEMPLATE.replace("\n", "\n\n")), "a<h1> b\n\nassistant")
    assert {model.special_id(text) for text in others} <= set(ids)
    model.close()


def test_a_long_token_keeps_its_bytes(model: Model) -> None:
    assert model.token_bytes(model.special_id("x" * 700)) == b"x" * 700


def test_a_template_gets_all_named_tokens(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path / "named.gguf", dict.fromkeys(MARKERS, TokenType.CONTROL), padding_token_id=2)
    model = Model(tmp_path / "named.gguf", 0)
    assert model.template_variables == {
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>",
        "additional_special_tokens": ["<|endoftext|>", *MARKERS],
    }  # fmt: skip
    model.close()
    hub = byte_level(AddedToken("<pad>", special=True), AddedToken("<more>", special=True))
    hub.add_special_tokens({"pad_token": "<pad>", "extra_special_tokens": ["<more>"]})
    shown = "{{ bos_token }}{{ pad_token }}{{ additional_special_tokens[0] }}{{ messages[0].content }}"
    pieces = builder_of(Tokenizer(hub), shown).render(rows(["hi"])).segments
    assert [piece.text for piece in pieces if piece.special] == ["<s>", "<pad>", "<more>"]


def test_a_prompt_begins_with_its_first_token_once() -> None:
    class Beginning(Tokenizer):
        bos_ids: Any = ()

    tokenizer = Beginning(byte_level(*(AddedToken(marker, special=True) for marker in MARKERS)))
    tokenizer.bos_ids = (tokenizer.special_id("<s>"),)
    for template in (TEMPLATE, "{{ bos_token }}" + TEMPLATE):
        assert ids_of(builder_of(tokenizer, template), "hi").count(tokenizer.special_id("<s>")) == 1
    assert builder_of(tokenizer).tokenize(RenderedPrompt(()).segments) == []


@pytest.mark.parametrize(
    ("template", "ends"),
    [
        (TEMPLATE, ["<|end|>"]),
        (TEMPLATE.replace("<|end|>", "<|end|>{{ eos_token }}"), ["<|end|>", "</s>"]),
        (TEMPLATE + "\n{{ eos_token }}", ["<|end|>"]),
        ("{% for m in messages %}{{ m.content }} {{ eos_token }}{% endfor %}", ["</s>"]),
        ("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}", []),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }} ok<|end|>{% endfor %}", []),
        ("{{ raise_exception('no') }}", []),
        ("{{ messages[0].content }}", []),
        # Thinking is a message of its own: a reply that ended there would be nothing else.
        ("{% for m in messages %}{% if m.thinking %}<|system|>{{ m.thinking }}<|end|>{% endif %}"
         "<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}", []),
        ("{% for m in messages %}{{ m.reasoning_content }}<|system|>{{ m.content }}<|end|>{% endfor %}", ["<|end|>"]),
    ],
)  # fmt: skip
def test_what_ends_a_turn_is_read_of_the_template(template: str, ends: list[str]) -> None:
    tokenizer = Tokenizer(byte_level(*(AddedToken(marker, special=False) for marker in MARKERS)))
    assert builder_of(tokenizer, template).turn_ends == ends


@pytest.mark.parametrize(("template", "begins"), [("{{ messages[0].content }}|", b" hi"), ("a\n<|end|>\n\n ", b"hi")])
def test_a_reply_that_was_cut_goes_on_as_it_began(template: str, begins: bytes) -> None:
    """SentencePiece's space: the model wrote one behind a word, and none behind a line break."""
    tokenizer = Tokenizer(sentencepiece(*(AddedToken(marker, special=True) for marker in MARKERS)))
    builder = builder_of(tokenizer, template)
    prompt = builder.render(rows(["x"])).segments
    ids = builder.tokenize([*prompt, *builder.continuation("hi")])
    before = builder.tokenize(prompt)
    assert ids[: len(before)] == before
    assert b"".join(map(tokenizer.token_bytes, ids[len(before) :])) == begins
