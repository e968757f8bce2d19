"""An ONNX graph with past keys and values, fp32 or with int8 weights, read back through onnxruntime.

Inputs: input_ids, attention_mask, position_ids, past_key_values.N.key and .value; outputs: logits, present.N.key and
.value. Batch, length and past are free. Knows no other format.
"""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as engine
from transformers import AutoTokenizer, DynamicCache

from training.formats import FORMATS, Card, Logits, Trained
from training.formats.source import silence_transformers, tokenize

INPUTS = ("input_ids", "attention_mask", "position_ids")
REFUSALS = (engine.Fail, engine.InvalidArgument, engine.InvalidGraph, engine.InvalidProtobuf, engine.NotImplemented)
LARGEST = 2**31 - 2**24  # bytes of weights in one protobuf file, with room for the graph


class TensorCacheModel(torch.nn.Module):
    """A model that takes and gives its past as plain tensors, (batch, heads, past, width of a head)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past: Any) -> tuple[Any, ...]:
        """Logits, then key and value of each layer, the new tokens' included."""
        cache = DynamicCache(past)
        answer = self.model(input_ids, cache, attention_mask=attention_mask, position_ids=position_ids, use_cache=True)
        return (answer.logits, *(t for layer in answer.past_key_values.layers for t in (layer.keys, layer.values)))


def write(trained: Trained, path: Path, precision: str, card: Card) -> None:
    """One ONNX file, weights inside; int8 is made from the fp32 one beside it where there is one. Raises ValueError."""
    full = path.with_name(FORMATS["onnx"].file)
    if precision == "int8" and full.exists():
        return quantize(full, path)
    size = sum(4 * weight.numel() for weight in trained.model.parameters())
    if size > LARGEST:
        raise ValueError(f"{size / 1e9:.1f} GB of weights: an ONNX file holds 2 GB")
    graph = trace(trained.model)
    for name, value in (("name", card.name), ("licence", card.licence), ("description", card.description)):
        graph.metadata_props.add(key=name, value=value)
    graph.doc_string = card.description
    onnx.save(graph, path)
    if precision == "int8":
        quantize(path, path)


def trace(model: Any) -> onnx.ModelProto:
    """The graph of a model, its dimensions named."""
    model = copy.deepcopy(model).eval()
    model.set_attn_implementation("eager")
    layers, dim = range(model.config.n_layer), torch.export.Dim
    batch, length, past = dim("batch"), dim("length"), dim("past")
    shapes = (
        {0: batch, 1: length},
        {0: batch, 1: dim.AUTO},
        {0: batch, 1: length},
        [({0: batch, 2: past},) * 2 for _ in layers],
    )
    pairs = [f"{layer}.{kind}" for layer in layers for kind in ("key", "value")]
    with silence_exporter():
        program: Any = torch.onnx.export(
            TensorCacheModel(model).eval(),
            example(model.config),
            dynamo=True,
            dynamic_shapes=shapes,
            verbose=False,
            input_names=[*INPUTS, *(f"past_key_values.{pair}" for pair in pairs)],
            output_names=["logits", *(f"present.{pair}" for pair in pairs)],
        )
    graph: onnx.ModelProto = program.model_proto
    graph.graph.input[1].type.tensor_type.shape.dim[1].dim_param = "past + length"
    return graph


def example(config: Any) -> tuple[Any, ...]:
    """Inputs of a shape that stands for none: 2 rows of 3 tokens over a past of 5."""
    rows, new, past = 2, 3, 5
    shape = (rows, config.n_head, past, config.n_embd // config.n_head)
    cache = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(config.n_layer)]
    ids = torch.zeros(rows, new, dtype=torch.long)
    return ids, torch.ones(rows, past + new, dtype=torch.long), torch.arange(past, past + new).expand(rows, new), cache


def quantize(full: Path, path: Path) -> None:
    """Matrices to int8, one scale a column; activations are scaled as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    inferred = path.with_suffix(".inferred")
    quant_pre_process(full, inferred, skip_optimization=True, skip_symbolic_shape=True)
    quantize_dynamic(inferred, path, weight_type=QuantType.QInt8, per_channel=True)
    inferred.unlink()


@contextmanager
def silence_exporter() -> Iterator[None]:
    """torch's exporter without what it says of itself and of packages that GPT-2 does not need."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")  # "torchvision is not installed"
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", r"# The axis name: \w+ will not be used", UserWarning)
        try:
            yield
        finally:
            logger.setLevel(level)


class OnnxReader:
    """A file under onnxruntime, as a Reader."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self.session, self.tokenizer = session, tokenizer
        self.template: str | None = tokenizer.chat_template
        self.past = {i.name: i.shape for i in session.get_inputs() if i.name not in INPUTS}

    def tokens(self, text: str) -> list[int]:
        """Ids of a text that may spell special tokens."""
        return tokenize(self.tokenizer, text)

    def logits(self, ids: Sequence[int], prefix_length: int) -> Logits:
        """(len(ids), vocabulary): the first `prefix_length` ids at once, the others one at a time over the past."""
        past = [np.zeros((1, shape[1], 0, shape[3]), np.float32) for shape in self.past.values()]
        parts, seen = [], 0
        for piece in [ids[:prefix_length], *([token] for token in ids[prefix_length:])]:
            end = seen + len(piece)
            fed = {"input_ids": np.array([piece]), "attention_mask": np.ones((1, end), np.int64)}
            fed |= {"position_ids": np.arange(seen, end)[None], **dict(zip(self.past, past, strict=True))}
            answer, *past = self.session.run(None, fed)
            parts.append(answer[0])
            seen = end
        return np.concatenate(parts)


@contextmanager
def open_reader(path: Path) -> Iterator[OnnxReader]:
    """The file in onnxruntime, with the tokenizer beside it. Raises ValueError where onnxruntime refuses it."""
    with silence_transformers():
        tokenizer = AutoTokenizer.from_pretrained(path.parent, local_files_only=True)
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except REFUSALS as error:
        raise ValueError(f"onnxruntime does not load it ({error})") from error
    yield OnnxReader(session, tokenizer)
