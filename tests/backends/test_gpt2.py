"""Many chats on one PyTorch model: what comes of a batch is what `generate` draws alone; one that fails fails alone."""

import queue
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from langchain_core.exceptions import ModelAPIError, ModelNotFoundError

import backends
from backends.hf.network import Chunk, Network, group_adjacent
from backends.hf.sampler import Sampler
from backends.hf.sequential import SequentialRunner
from backends.local.decoder import StreamDecoder
from backends.local.engine import Event, Request
from backends.local.sampling import WHOLE_WINDOW, Sampling
from settings import DEFAULT_MODEL, Settings, SettingsError

OPEN = {"temperature": 0.0, "repetition_penalty": 1.0}


class Noting(StreamDecoder):
    """A text that remembers the bytes of each token."""

    def __init__(self, *stop: str) -> None:
        super().__init__(stop)
        self.pieces = list[bytes]()

    def push(self, data: bytes) -> str:
        self.pieces.append(data)
        return super().push(data)


class Asked(Request):
    """A request together with its owner."""

    def __init__(self, prompt: list[int], *stop: str, **sampling: Any) -> None:
        self.heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.words, self.over, self.noting = "", Event(), Noting(*stop)
        super().__init__(prompt, Sampling(**{**OPEN, **sampling}), self.noting, self.heard.put)

    def wait(self, tokens: int = 2**31) -> Event:
        """Until it has drawn as many, or is over; the event that said so."""
        while not (self.over.finish or self.over.error):
            event = self.heard.get(timeout=300)
            self.words += event.text
            if event.finish or event.error:
                self.over = event
            elif event.tokens >= tokens:
                return event
        return self.over


@pytest.fixture
def engine(settings: Settings) -> Any:
    """The shipped model's."""
    model: Any = backends.load("gpt2", settings)
    return model.engine


def plain(engine: Any, request: Asked) -> list[int]:
    """Greedy tokens of transformers' own `generate`, of one request alone."""
    import torch
    from transformers import GenerationConfig

    ids, ends, sampling = torch.tensor([request.prompt]), sorted(engine._end_ids), request.sampling
    config = GenerationConfig(
        do_sample=False, min_new_tokens=1, max_new_tokens=sampling.max_tokens, eos_token_id=ends, pad_token_id=0,
        repetition_penalty=sampling.repetition_penalty, suppress_tokens=ends if sampling.ignore_eos else None,
    )  # fmt: skip
    with torch.inference_mode():
        drawn = engine.pipeline.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config
        )
    return [int(token) for token in drawn[0, len(request.prompt) :]]


def lead(engine: Any, request: Asked, replied: list[int]) -> float:
    """By how much (in logits) the likeliest next token leads the second, after the penalty."""
    import torch

    with torch.inference_mode():
        logits = engine.pipeline.model(torch.tensor([[*request.prompt, *replied]])).logits[0, -1]
        draw = Sampler(request.sampling, [*request.prompt, *replied], engine._end_ids)
        draw._apply_penalties(logits)
    first, second = torch.topk(logits, 2).values.tolist()
    return float(first - second)


def differs(engine: Any, request: Asked, expected: list[int]) -> bool:
    """Whether what was drawn is not how `expected` begins, a tie of two tokens (0.01 logits) apart."""
    pieces = [engine.token_bytes(token) for token in expected]
    at = next((i for i, (a, b) in enumerate(zip(request.noting.pieces, pieces, strict=False)) if a != b), None)
    return at is not None and lead(engine, request, expected[:at]) >= 0.01


def some(length: int, seed: int) -> list[int]:
    """A prompt of tokens that mean nothing."""
    dice = random.Random(seed)
    return [dice.randrange(5, 8192) for _ in range(length)]


ASK = st.fixed_dictionaries(
    {
        "length": st.integers(1, 150),
        "tokens": st.integers(1, 16),
        "penalty": st.sampled_from([1.0, 1.15]),
        "endless": st.booleans(),
        "end": st.sampled_from(["", "", "stop", "cancel"]),
        "after": st.integers(0, 3),  # tokens of the one before, which it waits for
    }
)


@examples(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=st.lists(ASK, min_size=2, max_size=9), seed=st.integers(0, 2**16))
def test_greedy_tokens_of_a_batch_are_those_of_generate(engine: Any, asks: list[Any], seed: int) -> None:
    """Whatever joins, leaves, stops or is cancelled beside them."""
    wanted = list[tuple[Asked, list[int], str]]()
    for number, ask in enumerate(asks):
        prompt = some(ask["length"], seed + number)
        options = {"max_tokens": ask["tokens"], "repetition_penalty": ask["penalty"], "ignore_eos": ask["endless"]}
        options["repeat_last_n"] = WHOLE_WINDOW  # as `generate` has it
        expected = plain(engine, Asked(prompt, **options))
        words = b"".join(map(engine.token_bytes, expected)).decode("utf-8", "replace")
        stop = words[len(words) // 2 :][:4] if ask["end"] == "stop" else ""
        wanted.append((Asked(prompt, stop, **options), expected, words.partition(stop)[0] if stop else words))
    for number, ((request, *_), ask) in enumerate(zip(wanted, asks, strict=True)):
        if number and ask["after"] and not wanted[number - 1][0].cancelled.is_set():
            wanted[number - 1][0].wait(ask["after"])
        engine.submit(request)
        if ask["end"] == "cancel":
            engine.cancel(request)
    for (request, expected, words), ask in zip(wanted, asks, strict=True):
        if ask["end"] != "cancel":
            request.wait()
            assert not differs(engine, request, expected)
            assert (
                request.words == words
                or request.noting.pieces != [engine.token_bytes(t) for t in expected][: request.tokens]
            )
    idle(engine)


def idle(engine: Any) -> None:
    """Wait until nothing runs; every row is free again."""
    last = Asked([5], max_tokens=1)
    engine.submit(last)
    last.wait()
    while engine.pending_count():
        threading.Event().wait(0.001)
    assert engine._chats == []


def test_a_second_chat_does_not_wait_for_the_first(engine: Any) -> None:
    first, second = Asked(some(20, 1), max_tokens=900, ignore_eos=True), Asked(some(20, 2), max_tokens=3)
    engine.submit(first)
    first.wait(1)
    engine.submit(second)
    assert second.wait().finish
    assert not first.over.finish
    assert first.tokens < 900
    engine.cancel(first)
    first.wait()
    idle(engine)


def test_who_comes_while_all_rows_are_taken_waits_for_one(engine: Any) -> None:
    assert engine.parallel == 8
    eight = [Asked(some(5, n), max_tokens=900, ignore_eos=True) for n in range(8)]
    for request in eight:
        engine.submit(request)
        request.wait(1)
    ninth = Asked(some(5, 9), max_tokens=2)
    engine.submit(ninth)
    assert ninth.heard.get(timeout=300).position == 1
    engine.cancel(eight[3])
    assert ninth.wait().finish
    for request in eight:
        engine.cancel(request)
    idle(engine)


def test_one_that_fails_fails_alone(engine: Any) -> None:
    """A token that the model does not have, in the middle of a batch."""
    good = [Asked(some(30, n), max_tokens=30, ignore_eos=True) for n in range(3)]
    bad = Asked([5, 6, 10**6], max_tokens=5)
    expected = [plain(engine, request) for request in good]
    for request in [good[0], bad, *good[1:]]:
        engine.submit(request)
    error = bad.wait().error
    assert isinstance(error, ModelAPIError)
    assert str(error).startswith("gpt2: ")
    for request, tokens in zip(good, expected, strict=True):
        assert request.wait().finish == "length"
        assert not differs(engine, request, tokens)
    idle(engine)


def test_a_seed_gives_the_same_whatever_runs_beside_it(engine: Any) -> None:
    def seeded() -> Asked:
        return Asked(some(10, 3), temperature=0.8, seed=11, max_tokens=20, ignore_eos=True)

    alone, beside = seeded(), seeded()
    engine.submit(alone)
    alone.wait()
    others = [Asked(some(40, n), temperature=1.5, max_tokens=40, ignore_eos=True) for n in range(5)]
    for request in [*others[:3], beside, *others[3:]]:
        engine.submit(request)
    beside.wait()
    assert beside.noting.pieces == alone.noting.pieces
    for request in others:
        engine.cancel(request)
    idle(engine)


def test_a_second_turn_computes_only_what_is_new(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where others talked in between; with a seed all is computed anew, and the words are the same."""
    computed, compute = list[int](), engine.network.compute

    def counting(pieces: Any) -> Any:
        computed.extend(len(piece.tokens) for piece in pieces)
        return compute(pieces)

    def said(prompt: list[int], **sampling: Any) -> tuple[Asked, int]:
        computed.clear()
        request = Asked(prompt, max_tokens=20, ignore_eos=True, **sampling)
        engine.submit(request)
        request.wait()
        assert not differs(engine, request, plain(engine, request))
        return request, sum(computed)

    monkeypatch.setattr(engine.network, "compute", counting)
    first, cold = said(some(200, 9001))
    assert cold == 200 + 19
    said(some(90, 9002))
    talk = [*first.prompt, *plain(engine, first)[:15], *some(10, 9003)]
    assert said(talk)[1] == 10 + 19
    assert said(talk, seed=1)[1] == len(talk) + 19


def test_hundreds_that_leave_leave_nothing_behind(engine: Any) -> None:
    dice, before = random.Random(4), threading.active_count()
    asked = [Asked(some(dice.randrange(1, 40), n), max_tokens=dice.randrange(1, 9)) for n in range(300)]
    for request in asked:
        engine.submit(request)
        if dice.random() < 0.5:
            engine.cancel(dice.choice(asked[: asked.index(request) + 1]))
    for request in asked:
        if not request.cancelled.is_set():
            request.wait()
    idle(engine)
    assert threading.active_count() == before


@examples(max_examples=60, deadline=None)
@given(
    temperature=st.floats(0.2, 2), top_k=st.integers(0, 60), top_p=st.floats(0.05, 1), min_p=st.floats(0, 0.6),
    penalty=st.floats(0.8, 1.5), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_what_may_be_drawn_is_what_transformers_would_draw_from(
    temperature: float, top_k: int, top_p: float, min_p: float, penalty: float, seed: int
) -> None:
    import torch
    from transformers import (
        LogitsProcessorList,
        MinPLogitsWarper,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits = torch.randn(50, generator=torch.Generator().manual_seed(seed)) * 3
    steps = [RepetitionPenaltyLogitsProcessor(penalty), TemperatureLogitsWarper(temperature)]
    steps += [TopKLogitsWarper(top_k)] if top_k else []
    steps += [TopPLogitsWarper(top_p), MinPLogitsWarper(min_p)]
    found = LogitsProcessorList(steps)(torch.tensor([[3, 7, 7]]), logits[None].clone())[0]
    options = Sampling(
        temperature, top_p, top_k, penalty, seed=seed, max_tokens=1, min_p=min_p, repeat_last_n=WHOLE_WINDOW
    )
    for turn in range(30):
        draw = Sampler(Sampling(**{**vars(options), "seed": seed + turn}), [3, 7, 7], ())
        assert torch.isfinite(found[draw.sample(logits.clone())])


def test_how_often_a_token_is_drawn_is_its_share() -> None:
    import torch

    draw = Sampler(Sampling(1.0, 1.0, 0, 1.0, seed=1, max_tokens=4000), [0], ())
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4])
    drawn = torch.tensor([draw.sample(shares.log()) for _ in range(4000)])
    assert torch.allclose(torch.bincount(drawn) / 4000, shares, atol=0.03)


def test_neighbouring_rows_are_looked_at_together() -> None:
    pieces = [Chunk(0, 5, [1]), Chunk(1, 3, [1]), Chunk(3, 9, [1]), Chunk(4, 0, [1, 2]), Chunk(5, 0, [1])]
    assert [[piece.row for piece in run] for run in group_adjacent(pieces)] == [[0, 1], [3], [4], [5]]


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """Another kind of model, with random weights and the shipped one's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.copytree(
        DEFAULT_MODEL, tmp_path / "llama", ignore=shutil.ignore_patterns("*.gguf", "*.safetensors", "*config.json")
    )
    shutil.copy(DEFAULT_MODEL / "tokenizer_config.json", tmp_path / "llama")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, eos_token_id=4, bos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def test_any_other_model_takes_turns(llama: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("GPT2_MODEL", str(llama))
    model: Any = backends.load("gpt2", Settings.read())
    engine = model.engine
    assert isinstance(engine.network, SequentialRunner)
    asked = [Asked(some(10 * n + 1, n), max_tokens=20, ignore_eos=True, repetition_penalty=1.2) for n in range(4)]
    expected = [plain(engine, request) for request in asked]
    bad = Asked([10**6])
    for request in [*asked[:2], bad, *asked[2:]]:
        engine.submit(request)
    assert isinstance(bad.wait().error, ModelAPIError)
    for request, tokens in zip(asked, expected, strict=True):
        assert request.wait().tokens == 20
        assert not differs(engine, request, tokens)


def test_the_shipped_model_goes_through_the_network(engine: Any) -> None:
    assert isinstance(engine.network, Network)


def test_a_chat_takes_the_memory_of_its_own_tokens(engine: Any) -> None:
    """Not that of the window: large pages would hold nearly all of it."""
    import torch

    network, process = Network(engine.pipeline.model, 8), psutil.Process()
    tokens = engine.encode("the sea is wide and the fish are many")
    config = engine.pipeline.model.config
    window = 2 * 4 * config.n_layer * config.n_positions * config.n_embd
    with torch.inference_mode():
        network.compute([Chunk(0, 0, tokens)])  # what a step takes for itself
        before = process.memory_info().rss
        for row in range(1, 8):
            network.compute([Chunk(row, 0, tokens)])
    assert process.memory_info().rss - before < 7 * window / 3


def test_eight_bits_nearly_say_the_same(engine: Any) -> None:
    """Most next tokens are the same ones; logits are close, and not the very same."""
    import torch

    exact, rounded = (Network(engine.pipeline.model, 1, int8=int8) for int8 in (False, True))
    prompts = [
        engine.encode(text) for text in ("hello, how are", "I like music and", "my cat is", "where do you", "so")
    ]
    same = 0
    with torch.inference_mode():
        for prompt in prompts:
            one, other = (network.compute([Chunk(0, 0, prompt)])[0] for network in (exact, rounded))
            assert 0 < float((one - other).abs().mean()) < 0.1 * float(one.std())
            same += int(one.argmax() == other.argmax())
    assert same >= 3


def test_eight_bits_are_for_gpt2_alone(llama: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("GPT2_MODEL", str(llama))
    monkeypatch.setenv("GPT2_QUANTIZE", "int8")
    with pytest.raises(ModelNotFoundError, match="GPT2_QUANTIZE=int8 is for GPT-2 models"):
        backends.load("gpt2", Settings.read())


@pytest.mark.parametrize("value", ["0", "65", "many"])
def test_chats_together_are_1_to_64(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT2_PARALLEL", value)
    with pytest.raises(SettingsError, match=rf"GPT2_PARALLEL={value}"):
        backends.read_settings()
