"""ONNX graphs, run by onnxruntime."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.training.formats import CARD, network, saved, words
from training.formats import Trained
from training.formats import onnx as format_onnx

HEADS, WIDTH, LAYERS = 2, 32, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = saved(tmp_path_factory.mktemp("onnx"))
    format_onnx.write(Trained(network(), words()), made / "model.onnx", "", CARD)
    return made


@pytest.fixture(scope="module")
def session(folder: Path) -> Any:
    return onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def fed(ids: Any, mask: Any, past: list[Any] | None = None) -> dict[str, Any]:
    names = [f"past_key_values.{layer}.{kind}" for layer in range(LAYERS) for kind in ("key", "value")]
    past = past or [np.zeros((len(ids), HEADS, 0, WIDTH), np.float32)] * len(names)
    positions = np.clip(mask.cumsum(1) - 1, 0, None)[:, -ids.shape[1] :]
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **dict(zip(names, past, strict=True))}


def wanted(ids: list[int]) -> Any:
    with torch.no_grad():
        return network()(torch.tensor([ids])).logits[0].numpy()


def test_names_and_dimensions_are_what_others_expect(session: Any) -> None:
    pairs = [f"{layer}.{kind}" for layer in range(LAYERS) for kind in ("key", "value")]
    assert [i.name for i in session.get_inputs()] == [
        "input_ids", "attention_mask", "position_ids", *(f"past_key_values.{pair}" for pair in pairs)
    ]  # fmt: skip
    assert [o.name for o in session.get_outputs()] == ["logits", *(f"present.{pair}" for pair in pairs)]
    shapes = {i.name: i.shape for i in session.get_inputs()}
    assert shapes["input_ids"] == ["batch", "length"]
    assert shapes["attention_mask"] == ["batch", "past + length"]
    assert shapes["past_key_values.1.value"] == ["batch", HEADS, "past", WIDTH]


@pytest.mark.parametrize("length", [1, 2, 40])
def test_with_and_without_past_it_answers_as_the_source(session: Any, length: int) -> None:
    ids = list(range(9, 9 + length + 3))
    ones = np.ones((1, length), np.int64)
    logits, *past = session.run(None, fed(np.array([ids[:length]]), ones))
    assert logits[0] == pytest.approx(wanted(ids)[:length], abs=1e-3)
    rest, *_ = session.run(None, fed(np.array([ids[length:]]), np.ones((1, length + 3), np.int64), past))
    assert rest[0] == pytest.approx(wanted(ids)[length:], abs=1e-3)


def test_rows_of_a_batch_may_be_padded_on_the_left(session: Any) -> None:
    short, long = [5, 6, 7], [9, 8, 7, 6, 5]
    ids, mask = np.array([[0, 0, *short], long]), np.array([[0, 0, 1, 1, 1], [1] * 5])
    logits, *past = session.run(None, fed(ids, mask))
    assert logits[0, 2:] == pytest.approx(wanted(short), abs=1e-3)
    assert logits[1] == pytest.approx(wanted(long), abs=1e-3)
    more = np.concatenate([mask, np.ones((2, 1), np.int64)], axis=1)
    after, *_ = session.run(None, fed(np.array([[11], [12]]), more, past))
    assert after[0, 0] == pytest.approx(wanted([*short, 11])[-1], abs=1e-3)
    assert after[1, 0] == pytest.approx(wanted([*long, 12])[-1], abs=1e-3)


def test_the_reader_goes_on_as_it_began(folder: Path) -> None:
    ids = list(range(5, 30))
    with format_onnx.open_reader(folder / "model.onnx") as reader:
        assert reader.tokens("<|user|>hello") == words().encode("<|user|>hello")
        for whole in (1, 10, 25):
            assert reader.logits(ids, whole) == pytest.approx(wanted(ids), abs=1e-3)


def test_the_file_says_what_it_is_and_is_valid(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(graph, full_check=True)
    said = {entry.key: entry.value for entry in graph.metadata_props}
    assert (said["name"], said["licence"], said["description"]) == ("a tiny talker", "CC0-1.0", "Random numbers.")


def test_int8_is_smaller_and_answers_nearly_alike(tmp_path: Path, folder: Path) -> None:
    made = shutil.copytree(folder, tmp_path / "made")
    format_onnx.write(Trained(network(), words()), made / "model-int8.onnx", "int8", CARD)
    assert (made / "model-int8.onnx").stat().st_size < 0.6 * (folder / "model.onnx").stat().st_size
    assert not list(made.glob("*.inferred"))
    ids = list(range(5, 30))
    with format_onnx.open_reader(made / "model-int8.onnx") as reader:
        apart = np.abs(reader.logits(ids, 10) - wanted(ids)).std() / wanted(ids).std()
    assert 0 < apart < 0.1


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path) / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(ValueError, match="onnxruntime does not load it"), format_onnx.open_reader(path):
        pass
