"""SmolLM2 as a model that thinks: a chat template of ours opens its thinking, which it does not end by itself."""

from pathlib import Path

# `enable_thinking` as Qwen3 has it.
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n"
    "{% if enable_thinking is defined and not enable_thinking %}\n</think>\n\n{% endif %}{% endif %}"
)
# It goes on for long, and never ends by itself.
ENDLESS = {"ignore_eos": True, "temperature": 1.0, "max_tokens": 4000}


# The same where no request can say so: what it has written is likelier than an end.
REPEATING = {"TEMPERATURE": "0", "REPETITION_PENALTY": "0.5", "MAX_TOKENS": "6000"}


def environment(folder: Path) -> dict[str, str]:
    """The variables with which it answers."""
    template = folder / "thinks.jinja"
    template.write_text(TEMPLATE)
    model = {"LLM_BACKEND": "llamacpp", "LLAMACPP_MODEL": "", "LLAMACPP_LORA": "none"}
    return {**model, "CHAT_TEMPLATE": str(template), "SEED": "1"}
