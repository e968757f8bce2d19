"""What llama.cpp refuses costs one request and never the process; broken files are told by their name."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError

from backends.llama.context import Limits
from backends.llama.model import Model
from settings import ROOT
from tests.backends.llama.chats import Alone, Ear, Watching, opened
from tests.conftest import GGUF

WORDS = tuple(range(300, 4000))


def unharmed(engine: Watching) -> None:
    """Nothing is reserved, held or left, and the next request is answered."""
    assert engine.watched.samplers == engine.pending_count() == 0
    for slot in engine._slots:
        assert slot.request is None
        assert slot.reserved == 0
        assert engine.left(slot) == len(slot.past) - 1
    assert Ear(engine, "hello", max_tokens=3, ignore_eos=True).ask().reply()


def as_alone(engine: Watching, *ears: Ear) -> None:
    """These got what they would have got without the others."""
    alone = Alone(engine.model)
    for ear in ears:
        ear.reply()
        drawn, expected = engine.drawn[ear.request], alone.greedy(ear.request)
        assert alone.same(ear.request, drawn, expected)
        assert len(drawn) == ear.request.sampling.max_tokens
    alone.close()


@pytest.mark.parametrize("size", [3, 200])
@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_a_token_that_is_none_fails_its_own_request(size: int, penalty: float) -> None:
    with opened(4, 4096) as engine:
        others = [Ear(engine, text, max_tokens=60, ignore_eos=True).ask() for text in ("I like", "My dog is")]
        assert others[0].heard(2)
        bad = Ear(
            engine, [*WORDS[:size], engine.model.vocabulary_size + 5], repetition_penalty=penalty, repeat_last_n=-1
        ).ask()
        others.append(Ear(engine, "Good morning", max_tokens=20, ignore_eos=True).ask())
        error = bad.end().error
        assert isinstance(error, ModelAPIError)
        assert str(error) == "llamacpp: llama_decode failed with status -1; the request was given up."
        as_alone(engine, *others)
        unharmed(engine)


def test_without_room_one_is_given_up() -> None:
    """Where more was promised than the context has, as with a model whose cells are not one per token."""
    with opened(2, 256, window=256) as engine:
        engine.limits = Limits(4096, 2, 4096, 1)
        first = Ear(engine, WORDS[:100], max_tokens=120, ignore_eos=True).ask()
        second = Ear(engine, WORDS[500:600], max_tokens=120, ignore_eos=True).ask()
        ends = [ear.end() for ear in (first, second)]
        failed = [str(end.error) for end in ends if end.error]
        assert failed == ["llamacpp: its context has no room left; the request was given up."]
        as_alone(engine, first if ends[1].error else second)
        unharmed(engine)


def test_what_never_fits_is_refused_and_blocks_nobody() -> None:
    with opened(2, 256, window=256) as engine:
        large = Ear(engine, WORDS[:250], max_tokens=50).ask()
        none: Ear = Ear(engine, [], max_tokens=5).ask()
        assert Ear(engine, "hi", max_tokens=3, ignore_eos=True).ask().reply()
        for ear, need in ((large, 300), (none, 5)):
            with pytest.raises(ModelInvalidRequestError, match=f"a request of {need} tokens.*from 2 to 256"):
                ear.reply()
        unharmed(engine)


def test_what_is_no_token_at_all_ends_in_an_error() -> None:
    """Whatever a library throws, while a request is taken in or computed: its thread lives, and all hear of it."""
    odd: Any = ["x"]
    with opened(2, 1024) as engine:
        other = Ear(engine, "I like", max_tokens=40, ignore_eos=True).ask()
        with pytest.raises(ModelAPIError, match="The llamacpp engine failed: ArgumentError"):
            Ear(engine, odd, repetition_penalty=1.3, repeat_last_n=-1).ask().reply()
        as_alone(engine, other)
        engine.watched.samplers = 0
        both = [Ear(engine, "I like", max_tokens=900, ignore_eos=True).ask(), Ear(engine, odd * 2).ask()]
        for ear in both:
            with pytest.raises(ModelAPIError, match="The llamacpp engine failed: TypeError"):
                ear.reply()
        unharmed(engine)


def test_a_state_that_cannot_be_read_back_is_computed_again() -> None:
    """Damaged where it lies: nothing half-read stays in the sequence."""
    with opened(1, 1024) as engine:
        first = Ear(engine, WORDS[:200], max_tokens=5, ignore_eos=True).ask()
        first.reply()
        Ear(engine, WORDS[900:1000], max_tokens=5, ignore_eos=True).ask().reply()
        kept = max(engine._cache._states, key=lambda kept: shared_with(kept.tokens))
        assert len(kept.tokens) == 204
        kept.state[12:16] = struct.pack("<I", 2**31)  # more cells than there are
        before = engine.watched.computed
        again = Ear(engine, [*WORDS[:200], 7], max_tokens=20, ignore_eos=True).ask()
        as_alone(engine, again)
        assert engine.watched.computed - before == 201 + 19
        unharmed(engine)


def shared_with(tokens: tuple[int, ...]) -> int:
    """How much of the first prompt it holds."""
    return sum(one == other for one, other in zip(tokens, WORDS[:200], strict=False))


def damaged(folder: Path) -> list[Path]:
    """The shipped file, broken in many ways."""
    whole = GGUF.read_bytes()
    counts = struct.pack("<QQ", 2**60, 2**60)
    found = {
        "empty": b"", "magic": whole[:4], "version": whole[:4] + struct.pack("<I", 99) + whole[8:],
        "head": whole[:20], "key": whole[:30], "metadata": whole[:2000], "vocabulary": whole[:100_000],
        "weights": whole[: len(whole) // 2], "last": whole[:-1], "counts": whole[:8] + counts + whole[24:],
        "text": b"not a model at all", "zeros": b"\0" * 5000, "tail": whole[:4] + b"\xff" * 5000,
    }  # fmt: skip
    for name, data in found.items():
        (folder / f"{name}.gguf").write_bytes(data)
    (folder / "folder.gguf").mkdir()
    return [*sorted(folder.iterdir()), folder / "nothing.gguf"]


LOADING = """
import json, sys
from langchain_core.exceptions import ModelError
import backends
from backends.llama.model import Model
from pathlib import Path
found = {}
for path in sys.argv[1:]:
    try:
        Model(Path(path), 0)
    except ModelError as error:
        found[path] = str(error)
print(json.dumps(found))
"""


def test_a_broken_file_is_told_by_its_name_and_the_process_lives(tmp_path: Path) -> None:
    paths = damaged(tmp_path)
    command = [sys.executable, "-c", LOADING, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    found = json.loads(done.stdout)
    assert set(found) == {str(path) for path in paths}
    for path, message in found.items():
        assert path in message
        assert "\n" not in message


def test_a_file_that_is_whole_loads_after_a_broken_one(tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(GGUF.read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"cut\.gguf"):
        Model(tmp_path / "cut.gguf", 0)
    model = Model(GGUF, 0)
    assert model.encode("hello")
    model.close()
    model.close()
    with pytest.raises(ModelAPIError, match="was closed"):
        model.encode("hello")
