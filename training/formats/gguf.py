"""A GGUF file of GPT-2, f16 or q8_0, read back through llama.cpp.

Which tensor gets which type follows llama.cpp's own converter and quantizer. Knows no other format.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from jinja2 import TemplateError

import llama_library
from prompts import template
from training.formats import Card, Logits, Trained

# Hugging Face name -> GGUF name; Conv1D matrices are stored the other way round.
BLOCK = {
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
OUTER = {
    "wte.weight": "token_embd.weight",
    "wpe.weight": "position_embd.weight",
    "ln_f.weight": "output_norm.weight",
    "ln_f.bias": "output_norm.bias",
}
KINDS = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
# Computed so by llama.cpp whatever the source has, and too slight to count on the check's finding it.
ASSUMED = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False}
PLAIN = Path(template.__file__).with_name("plain.jinja")


def write(trained: Trained, path: Path, precision: str, card: Card) -> None:
    """One GGUF file with everything that serving needs. Raises ValueError for what GGUF's gpt2 cannot be."""
    for option, assumed in ASSUMED.items():
        if (value := getattr(trained.model.config, option)) != assumed:
            raise ValueError(f"{option} is {value}: llama.cpp computes gpt2 as if it were {assumed}")
    kind, file_type = KINDS[precision]
    writer = gguf.GGUFWriter(path, "gpt2")
    try:
        add_card(writer, card)
        add_shape(writer, trained.model.config)
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        add_tokenizer(writer, trained)
        for name, array in tensors(trained.model):
            stored = kind_of(name, array, kind)
            with np.errstate(over="ignore", invalid="ignore"):  # the check finds what fp16 cannot hold, and names it
                writer.add_tensor(name, gguf.quants.quantize(array, stored), raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def add_card(writer: gguf.GGUFWriter, card: Card) -> None:
    """Name, licence, description, and how a reply is drawn where nobody sets an option."""
    writer.add_name(card.name)
    writer.add_license(card.licence)
    writer.add_description(card.description)
    add_sampling(writer, card)


def add_sampling(writer: gguf.GGUFWriter, card: Card) -> None:
    """How a reply is drawn where nobody sets an option."""
    writer.add_sampling_temp(float(card.sampling["temperature"]))
    writer.add_sampling_top_p(float(card.sampling["top_p"]))
    writer.add_sampling_top_k(int(card.sampling["top_k"]))
    writer.add_sampling_penalty_repeat(float(card.sampling["repetition_penalty"]))


def add_shape(writer: gguf.GGUFWriter, config: Any) -> None:
    """The sizes that llama.cpp builds the network from."""
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)


def add_tokenizer(writer: gguf.GGUFWriter, trained: Trained) -> None:
    """Vocabulary, merges, special tokens and the chat template."""
    tokenizer = trained.tokenizer
    bpe = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    if bpe["type"] != "BPE":
        raise ValueError(f"a {bpe['type']} tokenizer: GGUF's gpt2 needs byte-level BPE")
    tokens, kinds = vocabulary(tokenizer, trained.model.config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in bpe["merges"]])
    for add, token in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if token is not None:
            add(token)
    writer.add_add_bos_token(False)
    # Without one llama.cpp's programs would prompt in another model's format, and say nothing.
    writer.add_chat_template(tokenizer.chat_template or PLAIN.read_text(encoding="utf-8"))


def vocabulary(tokenizer: Any, size: int) -> tuple[list[str], list[int]]:
    """Every id's token and its kind; ids that the model has and the tokenizer has not are unused."""
    special, added = set(tokenizer.all_special_tokens), tokenizer.get_added_vocab()
    tokens, kinds = [], []
    for i, token in enumerate(tokenizer.convert_ids_to_tokens(list(range(size)))):
        tokens.append(f"[PAD{i}]" if token is None else token)
        if token is None:
            kinds.append(gguf.TokenType.UNUSED)
        elif token in special:
            kinds.append(gguf.TokenType.CONTROL)
        else:
            kinds.append(gguf.TokenType.USER_DEFINED if token in added else gguf.TokenType.NORMAL)
    return tokens, kinds


def tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """GGUF name and float32 array of each weight; a head of its own only where it is not the embedding."""
    for name, tensor in model.transformer.state_dict().items():
        if renamed := gguf_name(name):
            turned = tensor.T if "c_" in name and name.endswith("weight") else tensor
            yield renamed, turned.float().contiguous().numpy()
    if model.lm_head.weight.data_ptr() != model.transformer.wte.weight.data_ptr():
        yield "output.weight", model.lm_head.weight.detach().float().numpy()


def gguf_name(name: str) -> str | None:
    """The GGUF name of a tensor of GPT2Model; None for buffers that are no weights."""
    if name in OUTER:
        return OUTER[name]
    _, number, rest = name.split(".", 2)
    module, _, kind = rest.rpartition(".")
    return f"blk.{number}.{BLOCK[module]}.{kind}" if module in BLOCK else None


def kind_of(name: str, array: Any, kind: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    """Matrices as wanted, f16 where a row is no whole number of blocks; norms, biases and positions f32."""
    if array.ndim != 2 or name == "position_embd.weight":
        return gguf.GGMLQuantizationType.F32
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return kind if array.shape[1] % block == 0 else gguf.GGMLQuantizationType.F16


class LlamaReader:
    """A file under llama.cpp, as a Reader."""

    def __init__(self, llm: Any) -> None:
        self.llm = llm
        self.template: str | None = llm.metadata.get("tokenizer.chat_template")

    def tokens(self, text: str) -> list[int]:
        """Ids of a text that may spell special tokens."""
        return list(self.llm.tokenize(text.encode(), add_bos=False, special=True))

    def logits(self, ids: Sequence[int], prefix_length: int) -> Logits:
        """(len(ids), vocabulary): the first `prefix_length` ids at once, the others one at a time over the past."""
        self.llm.reset()
        self.llm.eval(list(ids[:prefix_length]))
        for token in ids[prefix_length:]:
            self.llm.eval([token])
        return np.array(self.llm.scores[: len(ids)], dtype=np.float32)


@contextmanager
def open_reader(path: Path, window: int = 512) -> Iterator[LlamaReader]:
    """The file in llama.cpp, for at most `window` tokens. Raises ValueError where llama.cpp refuses it."""
    from llama_cpp import Llama as Engine

    llama_library.load()
    threads = min(os.cpu_count() or 1, 8)
    with redirect_stderr(StringIO()):  # verbose=False lets llama.cpp's warnings through
        try:
            llm = Engine(str(path), n_ctx=window, n_batch=window, n_threads=threads, logits_all=True, verbose=False)
        except (ValueError, RuntimeError, TemplateError) as error:
            raise ValueError(f"llama.cpp does not load it ({error})") from error
    try:
        yield LlamaReader(llm)
    finally:
        llm.close()
