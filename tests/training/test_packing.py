"""Packing, cleaning, views and branches: pure functions on small input."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from training import branches, cleaning, likelihood, model, packing
from training.branches import Collator
from training.cleaning import Cleaner
from training.dialogue import Dialogue, Text, messages, replies, sides
from training.tokenizer import Encoded


def tiny() -> model.GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=50, n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=0,
                        eos_token_id=0, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)  # fmt: skip
    return model.GPT2LMHeadModel(config)


def row(*lengths: int, source: str = "x") -> packing.Row:
    """A packed row of random pieces whose second halves are learnt."""
    rng = np.random.default_rng(sum(lengths))
    ids = rng.integers(5, 50, sum(lengths)).tolist()
    positions = [n for length in lengths for n in range(length)]
    learnt = [n >= length // 2 for length in lengths for n in range(length)]
    labels = [i if one else packing.IGNORED for i, one in zip(ids, learnt, strict=True)]
    return {"input_ids": ids, "labels": labels, "position_ids": positions, "length": len(ids), "source": source}


def test_unusable_turns_end_a_dialogue() -> None:
    def cleaned(*turns: str) -> tuple[str, ...] | None:
        kept = Cleaner(longest_turn=20).clean(Dialogue("x", turns))
        return kept.turns if isinstance(kept, Dialogue) else None

    assert cleaned("hi", "hello", "", "more") == ("hi", "hello")
    assert cleaned("hi", "I am [a name here]", "ok") is None
    assert cleaned("hi", "y" * 21) is None
    assert cleaned("hi", "donâ€™t") is None
    assert cleaned("hi", "caf\N{LATIN SMALL LETTER E WITH ACUTE}!") is not None


def test_what_is_dropped_is_counted_by_reason() -> None:
    cleaner = Cleaner(longest_turn=20)
    rows = [("a", "b"), ("a", "b"), ("", "b"), ("a",), ("a", "y" * 30), ("a", "b", "y" * 30), ("a", "[the name]")]
    for turns in rows:
        cleaner.clean(Dialogue("x", turns))
    cleaner.clean(Text("y", "  "))
    assert cleaner.counts["x"] == {
        "read": 7, "kept": 1, "dropped: duplicate": 2, "dropped: empty turn": 1, "dropped: one-sided": 1,
        "dropped: turn over 20 characters": 1, "cut: turn over 20 characters": 1, "dropped: placeholder": 1,
    }  # fmt: skip
    shown = "\n".join(cleaning.count_table(cleaner.counts))
    assert "dropped: duplicate" in shown
    assert "dropped: empty" in shown


def test_a_hidden_name_is_the_same_throughout_a_dialogue() -> None:
    turns = ("Hi, I'm [user 1's name].", "Hello [User 1's name], I'm [user 2 name].", "Bye, [User 2's name]!")
    kept = Cleaner().clean(Dialogue("x", turns))
    assert isinstance(kept, Dialogue)
    first, second = kept.turns[0][8:-1], kept.turns[2][5:-1]
    assert kept.turns == (f"Hi, I'm {first}.", f"Hello {first}, I'm {second}.", f"Bye, {second}!")
    assert first != second


def test_views_of_a_dialogue() -> None:
    human = Dialogue("x", ("hi", "hello", "bye"), (("I sing.",), ("I have a dog.", "I ski.")), two_sided=True)
    assert sides(human) == (1, 0)
    assert messages(human, 1)[0] == {"role": "system", "content": "I have a dog. I ski."}
    assert [m["role"] for m in messages(human, 0)] == ["system", "assistant", "user", "assistant"]
    assert list(replies(human, 1)) == [1]
    assert list(replies(human, 0)) == [2]
    assert messages(Dialogue("x", ("hi", "hello")), 1, "Be kind.")[0]["content"] == "Be kind."


def test_a_turn_before_gives_a_piece_its_context_and_is_not_learnt_again() -> None:
    # Three turns of 10 tokens after a header of 4; the assistant's are learnt.
    learnt = [False] * 14 + [True] * 10 + [False] * 10
    made = list(packing.split_into_pieces(Encoded(list(range(34)), learnt, [0, 4, 14, 24], 4), 34 - 1))
    assert [p.ids for p in made] == [list(range(24))], "what has nothing to learn is left away"
    learnt = [False] * 4 + [True] * 30
    made = list(packing.split_into_pieces(Encoded(list(range(34)), learnt, [0, 4, 14, 24], 4), 34 - 1))
    assert made[1].ids == [0, 1, 2, 3, *range(24, 34)]  # ten tokens are more than a third of the room
    made = list(
        packing.split_into_pieces(
            Encoded(list(range(64)), [False] * 4 + [True] * 60, [0, 4, 14, 24, 34, 44, 54], 4), 54
        )
    )
    assert made[1].ids == [0, 1, 2, 3, *range(44, 64)]
    assert made[1].labels == [-100] * 14 + list(range(54, 64))


def test_packed_dialogues_do_not_see_each_other() -> None:
    """The loss of a packed row is that of its pieces alone."""
    learner = tiny().eval()
    both, pieces = row(9, 7), []
    for start, end in ((0, 9), (9, 16)):
        pieces.append({k: v[start:end] if isinstance(v, list) else v for k, v in both.items()})
    collate = Collator(pad=0)

    def total(rows: list[packing.Row]) -> float:
        batch = collate(rows)
        batch.pop("tokens")
        return float(learner(**batch, num_items_in_batch=1).loss.item())

    assert total([both]) == pytest.approx(total(pieces), rel=1e-5)
    assert total([both]) == pytest.approx(total([pieces[0]]) + total([pieces[1]]), rel=1e-5)


def test_the_loss_is_transformers_own() -> None:
    learner, one = tiny().eval(), row(20)
    batch = Collator(pad=0)([one])
    batch.pop("tokens")
    plain = GPT2LMHeadModel(learner.config).eval()
    plain.load_state_dict(learner.state_dict())
    wanted = plain(input_ids=torch.tensor([one["input_ids"]]), labels=torch.tensor([one["labels"]])).loss
    assert learner(**batch).loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_branch_is_weighed_as_if_it_stood_in_place_of_the_reply() -> None:
    learner = tiny().eval()
    one, others = row(20), [[7, 8, 9], [11, 12]]
    collate = Collator(pad=0, turns=1, distractors=2, pool={"x": others * 10})
    batch = collate([one])
    tokens = batch.pop("tokens")
    assert tokens.tolist() == [20], "distractors are no tokens of the data"
    wanted = (batch["labels"] >= 0) | (batch["candidates"] >= 0)
    hidden = learner.transformer(batch["input_ids"], position_ids=batch["position_ids"],
                                 attention_mask=batch["attention_mask"])[0]  # fmt: skip
    nats = likelihood.nats(hidden[0, batch["origins"][wanted]], learner.lm_head.weight, batch["input_ids"][wanted])
    weighed = batch["candidates"][wanted]
    found = {int(c): nats[weighed == c].mean().item() for c in torch.unique(weighed)}
    replies = {0: one["input_ids"][10:]}
    for number in (1, 2):
        at = (batch["candidates"][0] == number).nonzero()[:, 0]
        replies[number] = batch["input_ids"][0, at].tolist()
    assert sorted([replies[1], replies[2]]) in ([[7, 8, 9], [7, 8, 9]], [[7, 8, 9], [11, 12]], [[11, 12], [11, 12]])
    for number, reply in replies.items():
        ids = torch.tensor([one["input_ids"][:10] + reply])
        labels = torch.full_like(ids, -100)
        labels[0, 10:] = ids[0, 10:]
        assert found[number] == pytest.approx(
            GPT2LMHeadModel.forward(learner, ids, labels=labels).loss.item(), rel=1e-4
        )


def test_learning_to_choose_prefers_the_true_reply() -> None:
    learner, collate = tiny(), Collator(0, "assistant", 1, 1.0, 2, {"x": [[7, 8, 9], [11, 12, 13, 14]] * 10})
    learner.contrast, learner.distractors = 1.0, 2
    batch = collate([row(20), row(16)])
    batch.pop("tokens")
    optimizer = torch.optim.AdamW(learner.parameters(), lr=0.01)

    def choice() -> float:
        with_it = learner(**batch).loss.item()
        learner.eval()
        without = learner(**batch).loss.item()
        learner.train()
        return float(with_it - without)

    before = choice()
    for _ in range(30):
        learner(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert choice() < before / 2
    assert branches.reply_spans([-100, 3, 4, -100, 5]) == [(1, 3), (4, 5)]


def test_nats_and_their_gradients_are_exact() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(1100, 16, requires_grad=True), torch.randn(60, 16, requires_grad=True)
    target, slope = torch.randint(0, 60, (1100,)), torch.randn(1100)
    results = []
    for nats in (
        likelihood.nats(hidden, weight, target),
        torch.nn.functional.cross_entropy(hidden @ weight.T, target, reduction="none"),
    ):
        results.append((nats.detach(), *torch.autograd.grad((nats * slope).sum(), (hidden, weight))))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
