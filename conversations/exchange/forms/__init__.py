"""Importers, a file each, in the order in which a file is held against them: the surest marks first."""

from conversations.exchange.forms import (
    aistudio,
    card,
    chatgpt,
    chatui,
    claude,
    deepseek,
    finetuning,
    gemini,
    librechat,
    llamacpp,
    lmstudio,
    openwebui,
    ours,
    sharegpt,
    sillytavern,
    takeout,
    typingmind,
)

__all__ = ["FORMS", "OURS"]
OURS = ours.FORM
FORMS = (
    OURS,
    deepseek.FORM,
    chatgpt.FORM,
    claude.FORM,
    card.FORM,
    librechat.FORM,
    llamacpp.FORM,
    lmstudio.FORM,
    gemini.FORM,
    takeout.FORM,
    aistudio.FORM,
    typingmind.FORM,
    chatui.FORM,
    sillytavern.FORM,
    openwebui.FORM,
    sharegpt.FORM,
    finetuning.FORM,
)
