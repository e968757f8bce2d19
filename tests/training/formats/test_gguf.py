"""GGUF files, read by llama.cpp and by gguf's own reader."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from llama_cpp import Llama

import llama_library
from tests.training.formats import CARD, network, words
from training.formats import Trained
from training.formats import gguf as format_gguf

llama_library.load()


def written(folder: Path, precision: str, **differs: Any) -> tuple[Path, Trained]:
    trained = Trained(network(**differs), words())
    format_gguf.write(trained, folder / "m.gguf", precision, CARD)
    return folder / "m.gguf", trained


def kinds(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize("precision", ["f16", "q8_0"])
def test_llama_cpp_answers_a_chat_with_what_stands_in_the_file(tmp_path: Path, precision: str) -> None:
    path, _ = written(tmp_path, precision)
    llm = Llama(str(path), n_ctx=96, verbose=False)
    try:
        assert llm.metadata["tokenizer.chat_template"] == words().chat_template
        assert llm.metadata["general.name"] == "a tiny talker"
        assert llm.metadata["general.license"] == "CC0-1.0"
        assert llm.metadata["general.description"] == "Random numbers."
        assert float(llm.metadata["general.sampling.temp"]) == pytest.approx(0.7)
        assert (llm.token_bos(), llm.token_eos()) == (words().bos_token_id, words().eos_token_id)
        asked: Any = [{"role": "user", "content": "hello"}]
        answer: Any = llm.create_chat_completion(asked, max_tokens=8, temperature=0)
        assert answer["usage"]["completion_tokens"] > 0
    finally:
        llm.close()


@pytest.mark.parametrize("differs", [{}, {"tie_word_embeddings": False}, {"n_inner": 96, "n_embd": 48}])
def test_f16_goes_on_with_the_same_tokens(tmp_path: Path, differs: dict[str, Any]) -> None:
    path, trained = written(tmp_path, "f16", **differs)
    model = trained.model.half().float()
    ids = torch.tensor([words().encode("hello there, what is your name?")])
    with torch.no_grad():
        for _ in range(20):
            ids = torch.cat([ids, model(ids, attention_mask=torch.ones_like(ids)).logits[:, -1:].argmax(-1)], dim=1)
    start = ids[0, :-20].tolist()
    llm = Llama(str(path), n_ctx=96, verbose=False)
    try:
        going = llm.generate(start, temp=0, repeat_penalty=1.0)
        assert [next(going) for _ in range(20)] == ids[0, -20:].tolist()
        going.close()
    finally:
        llm.close()


def test_each_tensor_has_the_type_that_llama_cpps_quantizer_gives_it(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "q8_0", tie_word_embeddings=False)
    stored = kinds(path)
    assert stored["token_embd.weight"] == stored["output.weight"] == stored["blk.1.ffn_up.weight"] == "Q8_0"
    assert stored["position_embd.weight"] == stored["output_norm.weight"] == stored["blk.0.attn_qkv.bias"] == "F32"


def test_rows_that_are_no_whole_blocks_stay_f16(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "q8_0", n_embd=48, n_inner=96)
    stored = kinds(path)
    assert stored["blk.0.ffn_up.weight"] == stored["token_embd.weight"] == "F16"
    assert stored["blk.0.ffn_down.weight"] == "Q8_0"


def test_a_tied_head_is_written_once(tmp_path: Path) -> None:
    assert "output.weight" not in kinds(written(tmp_path, "f16")[0])


def test_ids_beyond_the_tokenizer_are_unused(tmp_path: Path) -> None:
    path, trained = written(tmp_path, "f16", vocab_size=len(words()) + 3)
    with format_gguf.open_reader(path) as reader:
        assert reader.logits([1, 2, 3], 3).shape == (3, len(words()) + 3)
    tokens, types = format_gguf.vocabulary(words(), trained.model.config.vocab_size)
    assert tokens[-1] == f"[PAD{len(words()) + 2}]"
    assert types.count(gguf.TokenType.UNUSED) == 3
    assert types.count(gguf.TokenType.CONTROL) == len(words().all_special_tokens)


def test_a_reader_reads_in_pieces_what_it_reads_in_one(tmp_path: Path) -> None:
    path, trained = written(tmp_path, "f16")
    ids = list(range(5, 45))
    with format_gguf.open_reader(path) as reader, torch.no_grad():
        wanted = trained.model.half().float()(torch.tensor([ids])).logits[0].numpy()
        for whole in (1, 17, 40):
            assert np.abs(reader.logits(ids, whole) - wanted).max() < 0.02 * wanted.std()


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF and nothing more")
    with pytest.raises(ValueError, match="does not load it"), format_gguf.open_reader(tmp_path / "m.gguf"):
        pass
