"""Pictures in prompts: computed as llama.cpp's own programs do, once, beside other chats, and found again.

The projectors are drawn at random (tests/projectors.py): what is said about a picture means nothing, but hangs on it.
"""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import llama_library
from backends.llama.projector import Projector
from backends.llama.states import StateFolder
from backends.local.picture import Picture, moves_on
from tests.backends.llama.chats import TIE, Ear, Watching, opened
from tests.conftest import GGUF
from tests.projectors import make_projector, make_talker, needs_mtmd, picture

pytestmark = needs_mtmd

RED, BLUE = picture("red", "white", "black"), picture("blue", "yellow")
BEFORE, AFTER = "You are a friendly assistant. The user shows you this: ", " The user says: What is it?"


class Seeing(NamedTuple):
    """An engine with a projector, and the memory of its chats: apart, or shared."""

    engine: Watching
    projector: Projector


def made(folder: Path, kind: str) -> tuple[Path, Path]:
    """A model and a projector of a kind for it."""
    if kind == "qwen2vl_merger":
        return make_talker(folder / "talker.gguf", GGUF), make_projector(folder / "mmproj.gguf", 64, kind)
    return GGUF, make_projector(folder / "mmproj.gguf", 320, kind)


@pytest.fixture(
    scope="module", params=[("mlp", 4096), ("mlp", 2048), ("gemma3", 4096), ("qwen2vl_merger", 2048)], ids=str
)
def seeing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeing]:
    kind, total = request.param
    model, projector = made(tmp_path_factory.mktemp("eyes"), kind)
    with opened(4, total, path=model, projector=projector) as engine:
        assert engine.sight.projector is not None
        yield Seeing(engine, engine.sight.projector)


def ask(engine: Watching, pictures: Sequence[Picture], after: str = AFTER, **options: Any) -> Ear:
    """A request with pictures behind each other."""
    tokens = [token for each in pictures for token in each.tokens]
    ids = [*engine.encode(BEFORE), *tokens, *engine.encode(after)]
    return Ear(engine, ids, pictures=pictures, **options)


def drawn_by_mtmd(engine: Watching, data: bytes, expected: Sequence[int]) -> bool:
    """Whether greedy tokens are those of llama.cpp's own code for prompts with pictures, or ties of them."""
    api, mtmd, projector = llama_library.load(), llama_library.load_pictures(), engine.sight.projector
    assert projector is not None
    params = api.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 1024
    params.n_threads = params.n_threads_batch = 1
    context = api.llama_init_from_model(engine.model.pointer, params)
    chunks, place = mtmd.mtmd_input_chunks_init(), api.llama_pos(0)
    bytes_of = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    pixels = mtmd.mtmd_helper_bitmap_init_from_buf(projector._context, bytes_of, len(data), False)
    said = (BEFORE + mtmd.mtmd_default_marker().decode() + AFTER).encode()
    text = mtmd.mtmd_input_text(said, len(said), False, True)
    assert mtmd.mtmd_tokenize(projector._context, chunks, ctypes.byref(text), (ctypes.c_void_p * 1)(pixels), 1) == 0
    evaluate = mtmd.mtmd_helper_eval_chunks
    assert evaluate(projector._context, context, chunks, 0, 0, 512, True, ctypes.byref(place)) == 0
    shape, is_same = (engine.model.vocabulary_size,), True
    for at, token in enumerate(expected):
        found = ctypes.cast(api.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float))
        logits = np.ctypeslib.as_array(found, shape).copy()
        if at == 0:
            logits[list(engine.model.end_ids)] = -np.inf
        is_same = is_same and bool(logits.max() - logits[token] < TIE)
        assert api.llama_decode(context, api.llama_batch_get_one((api.llama_token * 1)(token), 1)) == 0
    mtmd.mtmd_bitmap_free(pixels)
    mtmd.mtmd_input_chunks_free(chunks)
    api.llama_free(context)
    return is_same


def test_a_picture_is_computed_as_llama_cpp_does(seeing: Seeing) -> None:
    engine, projector = seeing
    red, blue = projector.look(RED), projector.look(BLUE)
    assert [len(each.views) for each in (red, blue)] == [1, 1]
    assert set(red.views[0].tokens).isdisjoint(blue.views[0].tokens)
    first, second = ask(engine, [red]).ask(), ask(engine, [blue]).ask()
    first.reply(), second.reply()
    assert drawn_by_mtmd(engine, RED, engine.drawn[first.request])
    assert drawn_by_mtmd(engine, BLUE, engine.drawn[second.request])
    assert first.text != second.text


def test_the_same_picture_is_computed_once(seeing: Seeing) -> None:
    engine, projector = seeing
    shown = picture("green", "black", "orange")
    seen = projector.look(shown)
    length, before = len(seen.tokens), projector.encoded
    first = ask(engine, [seen]).ask()
    first.reply()
    assert projector.encoded == before + 1
    computed = engine.prefilled_tokens
    again = ask(engine, [projector.look(shown)], AFTER + " And where?").ask()
    again.reply()
    assert projector.encoded == before + 1
    assert engine.prefilled_tokens - computed < length  # of the new words alone
    assert drawn_by_mtmd(engine, shown, engine.drawn[first.request])


def test_chats_beside_a_picture_are_what_they_are_alone(seeing: Seeing) -> None:
    engine, projector = seeing
    options: dict[str, Any] = {"max_tokens": 60, "ignore_eos": True}
    words = Ear(engine, "I like music and", **options).ask().reply()
    alone = ask(engine, [projector.look(RED)]).ask().reply()
    for colour in ("pink", "navy"):
        talking = Ear(engine, "I like music and", **options).ask()
        assert talking.heard(3)
        fresh = picture(colour, "white", "red")
        looking, other = ask(engine, [projector.look(fresh)]).ask(), ask(engine, [projector.look(RED)]).ask()
        assert [talking.reply(), other.reply()] == [words, alone]
        looking.reply()
        assert drawn_by_mtmd(engine, fresh, engine.drawn[looking.request])


def test_who_leaves_while_a_picture_is_looked_at_is_let_go(seeing: Seeing) -> None:
    engine, projector = seeing
    leaving = ask(engine, [projector.look(picture("cyan", "gold", size=(64, 40)))]).ask()
    engine.cancel(leaving.request)
    staying = ask(engine, [projector.look(BLUE)]).ask()
    staying.reply()
    assert engine.pending_count() == 0
    assert drawn_by_mtmd(engine, BLUE, engine.drawn[staying.request])


def test_several_pictures_are_seen_in_their_order(seeing: Seeing) -> None:
    engine, projector = seeing
    red, blue = projector.look(RED), projector.look(BLUE)
    one, other = (ask(engine, each).ask().reply() for each in ([red, blue], [blue, red]))
    assert one != other
    assert ask(engine, [red, blue]).ask().reply() == one


def test_a_state_in_a_file_knows_its_picture(tmp_path: Path) -> None:
    model, projector = made(tmp_path, "qwen2vl_merger")
    replies, computed = [], []
    for _ in range(2):
        folder = StateFolder(tmp_path / "states", "model", 2**26)
        with opened(2, 2048, path=model, projector=projector, folder=folder) as engine:
            assert engine.sight.projector is not None
            seen = engine.sight.projector.look(RED)
            replies.append(ask(engine, [seen], conversation="one").ask().reply())
            computed.append((engine.prefilled_tokens, engine.sight.projector.encoded))
    assert replies[0] == replies[1]
    assert computed[1] == (0, 0)  # the last token alone, from which the reply is drawn
    places = sum(map(moves_on, seen.tokens))
    assert places < len(seen.tokens)
