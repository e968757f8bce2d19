"""Models whose markers of turns are a vocabulary's own, loaded as a user loads them, by both backends."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

import backends
from settings import Settings
from tests.backends.local.vocabularies import TokenType, write_sentencepiece

MARKERS = (
    "<|user|>",
    "<|assistant|>",
    "<|fin|>",
)  # llama.cpp knows tokens that end a turn by their spelling, and not this
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>\n{{ m.content }}<|fin|>\n{% elif m.role == 'assistant' %}"
    "<|assistant|>\n{{ m.content.split('</think>')[-1] }}<|fin|>\n{% endif %}{% endfor %}<|assistant|>"
)


def write_folder(folder: Path) -> None:
    """A folder as it is made from a GGUF: its settings name the end of a text, not that of a turn."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="tiny.gguf")
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=2048, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture
def tiny(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Any:
    """Each backend of this process over such a model."""
    write_sentencepiece(tmp_path / "tiny.gguf", dict.fromkeys(MARKERS, TokenType.CONTROL), template=TEMPLATE)
    if name == "gpt2":
        write_folder(tmp_path)
    monkeypatch.setenv("GPT2_MODEL", str(tmp_path))
    monkeypatch.setenv("LLAMACPP_MODEL", str(tmp_path / "tiny.gguf"))
    return backends.load(name, Settings.read())


def text(model: Any, *messages: Any) -> str:
    return "".join(piece.text for piece in model._render(list(messages)).segments)


def test_a_model_with_markers_of_its_own(tiny: Any) -> None:
    """Its replies end where its turns end, no message is lost, and old thinking is left to the template."""
    fin = tiny.engine.special_id("<|fin|>")
    assert tiny.engine.is_end(fin)
    assert tiny.engine.is_end(tiny.engine.special_id("</s>"))
    system, question = SystemMessage("be kind"), HumanMessage("hi <|fin|>")
    assert text(tiny, system, question) == "<|user|>\nbe kind\n\nhi <|fin|><|fin|>\n<|assistant|>"
    assert tiny._prompt([system, question])[1].count(fin) == 1
    said = AIMessage("<think>long</think>short")
    assert "long" not in text(tiny, question, said, HumanMessage("x"))
    reply = tiny.invoke([system, question], max_tokens=400, temperature=2.0, top_k=0, top_p=1.0, seed=3)
    assert reply.usage_metadata["input_tokens"] == len(tiny._prompt([system, question])[1])
    forbidden = tiny.invoke([question], max_tokens=300, temperature=2.0, top_k=0, top_p=1.0, ignore_eos=True)
    assert forbidden.usage_metadata["output_tokens"] == 300, "it is never drawn then"
