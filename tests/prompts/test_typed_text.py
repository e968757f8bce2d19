"""What somebody typed answers a template as the text that it is, and spells no token where it is shown."""

import pytest

from prompts.special_tokens import SpecialToken, SpecialTokens, named
from prompts.template import Segment, render
from prompts.typed_text import StandIns, TypedText

TOKENS = ["<think>", "</think>", "<|end|>", "[INST]", "<｜User｜>", "🙂tok"]
TEXT = "a <think>\nb </think> c\r\n<|end|> [INST] <｜User｜>🙂tok"
QUESTIONS = [
    "'</think>' in c", "'<th' in c", "'nope' not in c", "c == t", "c != t", "c < 'b'", "c | length",
    "c.startswith('a <')", "c.endswith('tok')", "c.startswith(('x', 'a <think>'))", "c.find('</think>')",
    "c.index('[INST]')", "c.count('<')", "c.rfind('>')", "c.split('</think>') | length", "c.split() | length",
    "c.split('</think>')[0].split('<think>')[-1]", "c.split('</think>')[-1].lstrip('\n')", "c.rsplit('<', 1)",
    "c.partition('<think>')", "c.rpartition('>')", "c.splitlines()", "c.splitlines(true)", "c.strip('a k')",
    "c.removeprefix('a <')", "c.removesuffix('tok')", "c.replace('<think>', '(')", "c | replace('</think>', ')')",
    "c.replace('', '-')", "c.replace('<', '{', 2)", "c[2:9]", "c[2]", "c[-3:]", "c[::-1]", "c | list", "c | first",
    "c | last", "c | reverse", "c | trim", "c | upper", "c | tojson", "[c] | tojson(ensure_ascii=True)", "'x' + c",
    "c + 'x'", "c ~ 'x'", "('x' ~ c).startswith('xa <think>')", "('x' + c + 'y').split('</think>')",
    "''.join([c, c]).split('</think>') | length", "'{} {}'.format(c, 1)", "{c: 1}[t]", "c in ['x', t]", "t in [c]",
    "c is string", "'%s!' % c", "c | string", "c.split('-2-')", "c * 2", "c.lower()",
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("text", [TEXT, "1<|end|>-2-<|end|>-2--2<|end|>", "\n<think> x\n\n </think>\n"])
def test_a_template_reads_what_was_typed(question: str, text: str) -> None:
    """The same answer as where the model has no special tokens, and no token in it."""
    source = "{% set c = messages[0].content %}{{ " + question + " }}"
    messages = [{"role": "user", "content": text}]
    try:
        expected = "".join(piece.text for piece in render(source, messages, [], t=text).segments)
    except ValueError:
        with pytest.raises(ValueError, match="refuses"):
            render(source, messages, TOKENS, t=text)
        return
    pieces = render(source, messages, TOKENS, t=text).segments
    assert "".join(piece.text for piece in pieces) == expected
    assert not any(piece.special for piece in pieces)


@pytest.mark.parametrize(
    "source",
    [
        "{% macro shown(x) %}{{ x }}{% endmacro %}{% set c = shown(c) | trim %}",
        "{% set c %}{{ c }}{% endset %}",
        "{% set c = '' ~ c ~ '' %}",
        "{% set ns = namespace(c='') %}{% for x in c %}{% set ns.c = ns.c + x %}{% endfor %}{% set c = ns.c %}",
        "{% set c = [c, ''] | join %}",
        "{% set c = '%s' | format(c) %}",
        "{% set c = '%s' % c %}",
        "{% set c = (c * 2)[:17] %}",
    ],
)
def test_it_stays_typed_through_macros_and_blocks(source: str) -> None:
    asked = "{% set c = messages[0].content %}" + source + "{{ '</think>' in c }} {{ c.split('</think>')[-1] }}"
    pieces = render(asked, [{"role": "user", "content": "a</think><|end|>b"}], TOKENS).segments
    assert pieces == (Segment("True <|end|>b", False),)


def test_parts_at_ends_are_typed_as_well() -> None:
    specials = named(frozenset(TOKENS))
    for text in ("x <|en", "x <|en  \n", "d|> y", "  d|> y", "<", "x [INS"):
        typed = StandIns(specials, [text]).guard(text)
        assert isinstance(typed, TypedText), text
        assert typed == text
        assert hash(typed) == hash(text)
    for text in ("x <| y", "1 > 2 or so", "[1] is a list", "words", ""):
        assert StandIns(specials, [text]).guard(text) is text


def test_overlapping_and_nested_tokens_are_all_found() -> None:
    specials = named(frozenset({"<a>", "<a><b>", "b><c", "<c>", "c"}))
    assert specials.find("x<a><b><c>") == [1, 5, 7, 8]
    assert specials.split("<a><b>c<a>x") == [("<a><b>", True), ("c", True), ("<a>", True), ("x", False)]


@pytest.mark.parametrize("count", [0, 1, 300, 7000])
def test_the_longest_token_is_found_among_many(count: int) -> None:
    tokens = [f"<unused{n}>" for n in range(count)] + ["<", "\n" * 9, *("\n" * n for n in range(2, 9)), "x" * 3000]
    specials = named(frozenset(tokens))
    text = "<unused12><unused7000 \n\n\n\n\n\n\n\n\n\n\n\n" + "x" * 3001
    expected = ["<unused12>"] if count > 12 else ["<", "unused12>"]
    assert [piece for piece, _ in specials.split(text)] == [
        *expected, "<", "unused7000 ", "\n" * 9, "\n" * 3, "x" * 3000, "x"
    ]  # fmt: skip


def test_deep_vocabularies_need_no_deep_recursion() -> None:
    specials = named(frozenset("a" * n for n in range(1, 2000)))
    assert [len(piece) for piece, _ in specials.split("a" * 2500)] == [1999, 501]


def test_tokens_swallow_white_space_as_their_tokenizers_say() -> None:
    specials = SpecialTokens([
        SpecialToken("<|user|>", strips_after=" \n"), SpecialToken("<|mask|>", strips_before=" "), SpecialToken("<x>")
    ])  # fmt: skip
    assert specials.split("<|user|>\n hi \n<|mask|> you <x>  ") == [
        ("<|user|>", True), ("hi \n", False), ("<|mask|>", True), (" you ", False), ("<x>", True), ("  ", False)
    ]  # fmt: skip
    assert specials.split("<|user|> \n <|user|>") == [("<|user|>", True), ("<|user|>", True)]


def test_a_whole_word_is_no_token_inside_another() -> None:
    specials = SpecialTokens([SpecialToken("bot", whole_word=True)])
    assert specials.split("robot bots bot.") == [("robot bots ", False), ("bot", True), (".", False)]
