"""Packed rows and the distractors beside them, as the model sees and weighs them."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from training import branches, likelihood, model, packing
from training.branches import Collator


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


def test_questions_about_the_same_passages_do_not_see_each_other() -> None:
    """A row whose positions jump back has the loss of the chats that it holds, each laid out alone."""
    learner = tiny().eval()
    rng = np.random.default_rng(5)
    shared, asked = rng.integers(5, 50, 8).tolist(), [rng.integers(5, 50, n).tolist() for n in (4, 6, 3)]
    before = row(5)
    joined: packing.Row = {
        "input_ids": before["input_ids"] + shared + [i for one in asked for i in one],
        "labels": before["labels"] + [packing.IGNORED] * 8 + [i for one in asked for i in one],
        "position_ids": before["position_ids"] + [*range(8)] + [n for one in asked for n in range(8, 8 + len(one))],
        "source": "x",
    }
    alone: list[packing.Row] = [before]
    for one in asked:
        ids, labels = shared + one, [packing.IGNORED] * 8 + one
        alone.append({"input_ids": ids, "labels": labels, "position_ids": [*range(len(ids))], "source": "x"})

    def total(rows: list[packing.Row]) -> float:
        batch = Collator(pad=0)(rows)
        batch.pop("tokens")
        return float(learner(**batch, num_items_in_batch=1).loss.item())

    assert total([joined]) == pytest.approx(sum(total([one]) for one in alone), rel=1e-5)
