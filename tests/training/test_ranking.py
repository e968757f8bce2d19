"""Candidates side by side are scored as one by one; ranks, windows and distractors."""

from pathlib import Path

import pytest
import torch

from tests.training import tiny
from training import evaluation_set, ranking, scoring, tokenizer
from training.dialogue import Dialogue, messages
from training.evaluation_set import Example
from training.loaded_model import LoadedModel


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return tiny.loaded(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def chooser(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return tiny.loaded(tmp_path_factory.mktemp("chooser"), choice=True)


def dialogues(count: int = 30, turns: int = 4, source: str = "chat") -> list[Dialogue]:
    """Human dialogues in which no text comes twice."""
    texts = [tuple(tiny.turn(turns * i + k) for k in range(turns)) for i in range(count)]
    return [Dialogue(source, t, two_sided=True) for t in texts]


def plainly(loaded: LoadedModel, prompt: list[int], reply: list[int]) -> tuple[float, float | None]:
    """-log p of a reply, and its choice logit, by the model's own forward over prompt and reply alone."""
    ids = torch.tensor([[*prompt, *reply]])
    with torch.inference_mode():
        out = loaded.model(ids)
    found = torch.log_softmax(out.logits[0, len(prompt) - 1 : -1], -1)
    return -float(found[range(len(reply)), reply].sum()), float(out.mc_logits) if loaded.choice else None


@pytest.mark.parametrize("together", [1024, 20])
def test_side_by_side_equals_one_by_one(
    loaded: LoadedModel, chooser: LoadedModel, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(scoring, "MAX_BATCH_TOKENS", together)
    for one in (loaded, chooser):
        read = one.encoder.encode_dialogue(messages(dialogues(1)[0], 1, "Be kind."))
        prefix = scoring.prefill(one.model, read.ids)
        candidates = [one.encoder.encode_reply(tiny.turn(i)) for i in range(20)] + [[7]]
        for start, _ in read.spans:
            scores = scoring.score(one.model, prefix, start, candidates, one.choice)
            wanted = [plainly(one, read.ids[:start], c) for c in candidates]
            torch.testing.assert_close(scores.nats, torch.tensor([w[0] for w in wanted]), rtol=1e-4, atol=1e-4)
            if one.choice:
                assert scores.choice is not None
                torch.testing.assert_close(scores.choice, torch.tensor([w[1] for w in wanted]), rtol=1e-4, atol=1e-4)


def test_a_dialogue_reads_as_training_encodes_it(loaded: LoadedModel) -> None:
    view = messages(Dialogue("chat", ("hi <|end|>", "I like tea", "why?", "so"), (("I sail.",), ("I sing.",))), 1)
    read, encoded = loaded.encoder.encode_dialogue(view), tokenizer.encode(loaded.encoder.tokenizer, view)
    assert [*read.ids, loaded.encoder.specials["<|endoftext|>"]] == encoded.ids
    assert [i for span in read.spans for i in range(*span)] == [i for i, one in enumerate(encoded.learnt) if one]
    assert loaded.encoder.encode_reply("so") == read.ids[slice(*read.spans[1])]


def test_perplexity_is_that_of_the_plain_model(loaded: LoadedModel) -> None:
    one = Dialogue("chat", ("hi", "I like tea ☕", "why?", "so"))
    tally = ranking.score_examples(loaded, evaluation_set.build_examples([one], 1))["chat"]
    read = loaded.encoder.encode_dialogue(messages(one, 1))
    wanted = sum(plainly(loaded, read.ids[:a], read.ids[a:b])[0] for a, b in read.spans)
    assert tally.nats == pytest.approx(wanted, rel=1e-4)
    assert tally.tokens == sum(b - a for a, b in read.spans)
    assert tally.bytes == len("I like tea ☕so".encode())
    assert tally.cases == 0  # there is no other dialogue to draw from


def test_hits_are_those_of_plain_scoring(loaded: LoadedModel) -> None:
    examples = evaluation_set.build_examples(dialogues(12), 1)
    tally = ranking.score_examples(loaded, examples)["chat"]
    hits = 0
    for example in examples:
        for turn, others in example.cases.items():
            prompt = loaded.encoder.encode_prompt(example.prompt(turn), 128)
            replies = [loaded.encoder.encode_reply(text) for text in (example.texts[turn], *others)]
            means = [-plainly(loaded, prompt, reply)[0] / len(reply) for reply in replies]
            hits += means[0] > max(means[1:])
    assert tally.cases == 36
    assert tally.hits == hits
    assert 0 < hits < 36


def test_a_tie_is_a_miss(loaded: LoadedModel) -> None:
    one = Dialogue("chat", ("hi", "hello"), candidates=((), ("hello",)))
    assert (
        ranking.score_examples(loaded, evaluation_set.build_examples([one], 1))["chat"].report(False)["hits_at_1"]
        == 0.0
    )


def test_the_choice_head_is_asked_where_there_is_one(chooser: LoadedModel) -> None:
    found = ranking.score_examples(chooser, evaluation_set.build_examples(dialogues(12), 1))["chat"].report(
        chooser.choice
    )
    assert 0 < found["hits_at_1_choice"] < 1
    assert found["hits_at_1_choice"] != found["hits_at_1"]


def test_beyond_the_window_the_oldest_turns_are_dropped(tmp_path: Path) -> None:
    """A longer window that holds everything sees the same as a short one for which only the last turns remain."""
    short = tiny.loaded(tmp_path / "short", positions=64)
    long = Dialogue("chat", tuple(tiny.turn(i) for i in range(20)), (("I sail.",), ("I sing.",)))
    tally = ranking.score_examples(short, evaluation_set.build_examples([long], 1))["chat"]
    assert tally.tokens == sum(len(short.encoder.encode_reply(text)) for text in long.turns[1::2])
    assert tally.left_out == 0
    view = messages(long, 1)
    prompt = short.encoder.encode_prompt(view[:-1], 40)
    assert len(prompt) <= 40
    told = short.encoder.tokenizer.decode(prompt)
    assert told.startswith("<|system|>I sing.<|end|><|user|>")
    assert told.endswith(f"{long.turns[18]}<|end|><|assistant|>")
    assert len(short.encoder.encode_prompt([{"role": "user", "content": "tea " * 500}], 40)) == 40


def test_a_case_beyond_the_window_is_ranked_after_what_fits(tmp_path: Path) -> None:
    short = tiny.loaded(tmp_path / "short", positions=64)
    examples = evaluation_set.build_examples([*dialogues(4, turns=12), *dialogues(1, turns=2)], 1)
    tally = ranking.score_examples(short, examples)["chat"]
    assert tally.cases == 4 * 11 + 1


def test_a_reply_longer_than_half_the_window_is_counted_as_left_out(tmp_path: Path) -> None:
    short = tiny.loaded(tmp_path / "short", positions=64)
    one = Dialogue("chat", ("hi", "fine", "and?", "tea " * 200))
    tally = ranking.score_examples(short, evaluation_set.build_examples([one], 1))["chat"]
    assert (tally.left_out, tally.bytes) == (1, 4)


def test_distractors_come_from_other_dialogues_and_differ() -> None:
    held = [*dialogues(), Dialogue("chat", ("hi", "I LIKE  dogs and cats")), *dialogues(3, source="other")]
    examples = evaluation_set.build_examples(held, 1)
    texts = {text for one in dialogues() for text in one.turns[1:]} | {"I LIKE  dogs and cats"}
    cases = [(example, turn, others) for example in examples for turn, others in example.cases.items()]
    assert len(cases) == 30 * 3 + 1
    for example, turn, others in cases:
        assert example.source == "chat"  # three dialogues of the other source have too few replies
        assert len({" ".join(o.lower().split()) for o in (*others, example.texts[turn])}) == 20
        assert set(others) <= texts - {m["content"] for m in example.messages}
    assert [s.cases for s in evaluation_set.build_examples(held, 1)] == [s.cases for s in examples]
    assert [s.cases for s in evaluation_set.build_examples(held, 2)] != [s.cases for s in examples]


def test_a_limit_draws_cases_per_source() -> None:
    examples = evaluation_set.build_examples([*dialogues(), *dialogues(source="other")], 1, 7)
    assert [sum(len(s.cases) for s in examples if s.source == name) for name in ("chat", "other")] == [7, 7]


def test_candidates_that_a_source_brings_are_kept() -> None:
    own = (("a", "b"), (), (), ("c", "d"))
    held = [*dialogues(), Dialogue("chat", ("hi", "yes", "and?", "no"), candidates=((), (), (), ("c", "d")))]
    example: Example = evaluation_set.build_examples(held, 1)[-1]
    assert example.cases == {3: own[3]}


def test_dialogues_with_an_empty_turn_are_dropped() -> None:
    assert evaluation_set.build_examples([Dialogue("chat", ("hi", " ", "so", "yes")), Dialogue("chat", ())], 1) == []
