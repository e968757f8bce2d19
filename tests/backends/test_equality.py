"""Both files in models/default are the same model: greedy tokens of gpt2 and llamacpp, side by side."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

import backends
from prompts.system import system_prompt
from settings import Settings

PROMPTS = [
    "hi, how are you?", "do you have any pets?", "tell me a joke", "what is your name?", "what do you do for fun?",
    "I love pizza", "I'm sad today", "What is the capital of France?", "do you like music?", "good morning",
    "what should I cook tonight?", "I have two cats", "tell me a story", "where do you live?", "are you a robot?",
    "my job is boring", "what's your favorite movie?", "it is raining", "thank you", "bye",
]  # fmt: skip
TOKENS = 40


def greedy(model: Any, prompt: str) -> list[int]:
    """Exactly 40 greedy tokens without a penalty; what would end a reply is drawn like any other token."""
    engine, drawn = model.engine, list[int]()
    # What the engine keeps from being drawn first, or would end at.
    holder, field = (engine, "_end_ids") if hasattr(engine, "pipeline") else (engine.model, "end_ids")
    is_end, end_ids = engine.is_end, getattr(holder, field)

    def noting(token: int) -> bool:
        drawn.append(token)
        return False

    config = engine.pipeline.model.generation_config if hasattr(engine, "pipeline") else None
    saved = getattr(config, "eos_token_id", None)
    engine.is_end = noting
    setattr(holder, field, ())
    if config is not None:
        config.eos_token_id = None
    try:
        messages = [SystemMessage(system_prompt()), HumanMessage(prompt)]
        model.invoke(messages, temperature=0, repetition_penalty=1.0, max_tokens=TOKENS, seed=0)
    finally:
        engine.is_end = is_end
        setattr(holder, field, end_ids)
        if config is not None:
            config.eos_token_id = saved
    assert len(drawn) == TOKENS
    return drawn


def lead(model: Any, ids: list[int]) -> float:
    """By how much (in logits) the likeliest next token leads the second, in fp32."""
    import torch

    with torch.inference_mode():
        logits = model.engine.pipeline.model(torch.tensor([ids])).logits[0, -1]
    first, second = torch.topk(logits, 2).values.tolist()
    return float(first - second)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_tokens_are_equal(prompt: str, settings: Settings) -> None:
    """Where they are not, the likeliest two tokens must be a tie within f16's rounding (0.02 logits)."""
    gpt2: Any = backends.load("gpt2", settings)
    llama: Any = backends.load("llamacpp", settings)
    one, other = greedy(gpt2, prompt), greedy(llama, prompt)
    if one != other:
        start = gpt2._tokenize(gpt2._render([SystemMessage(system_prompt()), HumanMessage(prompt)]))
        at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        assert lead(gpt2, start + one[:at]) < 0.02
