"""The weights before the first step and after the last: begun, loaded, adapted, averaged, saved.

Knows no data and no Trainer.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2DoubleHeadsModel

from training import curves, pretrained, trainer
from training.formats import adapter
from training.model import GPT2LMHeadModel
from training.recipe import SIZES, Recipe


def initialize(plan: Recipe, bpe: Any) -> Any:
    """The model before its first step. Raises OSError, ValueError where `--init` does not do."""
    kind: Any = GPT2DoubleHeadsModel if plan.double_heads else GPT2LMHeadModel
    taught = Path(plan.init) if plan.init and adapter.is_adapter(Path(plan.init)) else None
    base = adapter.base_model(taught) if taught else plan.init
    model = kind(_config(plan, bpe)) if plan.config else pretrained.load(base, bpe, plan.double_heads)
    size = model.config.vocab_size
    if size != len(bpe):
        model.resize_token_embeddings(len(bpe))
    model.config.update({"eos_token_id": bpe.eos_token_id, "pad_token_id": bpe.pad_token_id})
    if plan.dropout >= 0:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = plan.dropout
        model.config.update({"resid_pdrop": plan.dropout, "embd_pdrop": plan.dropout})
    if getattr(model.config, "activation_function", "") == "gelu_new":
        for block in model.transformer.h:  # the same function as one kernel instead of eight
            block.mlp.act = torch.nn.GELU(approximate="tanh")
    model.contrast, model.distractors = plan.contrast, plan.distractors
    if taught:
        return adapter.apply(model, taught, learning=True)
    return _adapted(model, plan, list(range(size, len(bpe)))) if plan.lora else model


def _config(plan: Recipe, bpe: Any) -> GPT2Config:
    return GPT2Config(
        vocab_size=len(bpe),
        **SIZES[plan.config],
        bos_token_id=bpe.bos_token_id,
        eos_token_id=bpe.eos_token_id,
        pad_token_id=bpe.pad_token_id,
        attn_pdrop=0.0,
        num_labels=1,
    )


def _adapted(model: Any, plan: Recipe, added: list[int]) -> Any:
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) on the matrices of the blocks; of the rest only the
    embeddings of tokens that the model did not have are learnt. Blocks below `plan.lora_from` get none, and nothing is
    computed backwards there."""
    from peft import LoraConfig, get_peft_model

    family, blocks = model.config.model_type, model.config.num_hidden_layers
    if plan.lora_from >= blocks:
        raise ValueError(f"--lora-from {plan.lora_from}: the model has {blocks} blocks, the first is 0")
    config = LoraConfig(
        r=plan.lora,
        lora_alpha=2 * plan.lora,
        target_modules=pretrained.MATRICES[family],
        layers_to_transform=list(range(plan.lora_from, blocks)) if plan.lora_from else None,
        fan_in_fan_out=family == "gpt2",
        task_type="CAUSAL_LM",
        trainable_token_indices={"wte" if family == "gpt2" else "embed_tokens": added} if added else None,
    )
    with warnings.catch_warnings():  # peft still asks transformers by a name that is on its way out
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        return get_peft_model(model, config)


def round_frozen(model: Any) -> None:
    """The weights below a Llama's adapters become bf16, as autocast would make them anew for each batch."""
    if model.config.model_type == "llama" and not all(weight.requires_grad for weight in model.parameters()):
        for weight in model.parameters():
            weight.data = weight.data if weight.requires_grad else weight.data.bfloat16()


def save_finished(model: Any, bpe: Any, plan: Recipe, out: Path) -> None:
    """The model folder as Hugging Face loads it; `average` checkpoints become one (Izmailov et al. 2018)."""
    if plan.average > 1:
        _average(model, plan, trainer.checkpoints(out))
    with trainer.saving_adapters():
        model.save_pretrained(out)
    bpe.save_pretrained(out)
    curves.plot_curves([out / "log.jsonl"], out / "curves.png")
    print(f"the model is in {out}: python -m training.export {out} TARGET makes it ready to serve")


def _average(model: Any, plan: Recipe, saved: list[Path]) -> None:
    """The regular checkpoints alone: one that a stop left behind would make another model of a run that was stopped."""
    regular = [p for p in saved if p == saved[-1] or trainer.checkpoint_step(p) % plan.save_every == 0]
    last = regular[-plan.average :]
    states = [type(model).from_pretrained(p).state_dict() for p in last]
    if states:
        model.load_state_dict({k: torch.stack([s[k].float() for s in states]).mean(0) for k in states[0]})
    print(f"averaged {len(last)} of the {plan.average} asked for: {', '.join(p.name for p in last)}")
