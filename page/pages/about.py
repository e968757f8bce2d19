"""The page About: what is ready, what is set, the model that ships, the notebooks, and one's own name in the store."""

import re
from pathlib import Path

import streamlit as st

import backends
from backends import models
from documents import e5
from documents.embedding import current_embedder, words_alone_reason
from documents.pictures.settings import PictureSettings
from documents.settings import DocumentSettings, EmbeddingSettings
from page.session.context import PageContext, draw_title, load_context
from page.session.markdown import escape_markdown, safe_markdown
from settings import ROOT, EnvironmentSettings, Settings, SettingsError

MODELS = ROOT / "models"
NOTEBOOKS = ROOT / "notebooks"
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # the card's fields for model hubs
FENCE = re.compile(r"^```\w+$", re.MULTILINE)
IMAGE = re.compile(r"^!\[([^\]]*)\]\(([\w.-]+)\)$", re.MULTILINE)  # one that lies beside the card
LICENCE = re.compile(r"^license(?:_name)?: *(.+)$", re.MULTILINE)  # of the card's fields
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?://)[^)]*\)")  # to another file of the repository


def draw() -> None:
    """Draw the page: the backends, every setting with its origin, and what ships."""
    context = load_context()
    draw_title("About")
    st.markdown("One chat page, one LangChain chain, any model behind it: `prompt | model | StrOutputParser()`.")
    _draw_backends(context)
    _draw_documents()
    _draw_owner(context)
    st.header("Settings", anchor=False)
    st.caption("Read at start from the environment and .env; secrets are masked.")
    _draw_settings()
    _draw_notebooks()
    _draw_models()


def _draw_backends(context: PageContext) -> None:
    """Draw each backend: ready, or what is missing."""
    st.header("Backends", anchor=False)
    for name, problem in backends.status(context.settings):
        icon = ":material/check_circle:" if problem is None else ":material/block:"
        st.markdown(f"{icon} **{escape_markdown(name)}**: {'ready' if problem is None else safe_markdown(problem)}")
    if context.choice.name:
        st.caption(escape_markdown(f"A new chat begins with {context.choice.name}: {context.choice.reason}."))
    else:
        st.caption(safe_markdown(context.choice.reason))


def _draw_documents() -> None:
    """Draw what documents are searched by: their words, and what makes vectors, or why nothing does."""
    st.header("Documents", anchor=False)
    try:
        embedder, settings = current_embedder(), EmbeddingSettings.read()
        reason = words_alone_reason(settings)
    except SettingsError as error:
        embedder, reason = None, str(error)
    by = "by words alone" if embedder is None else f"by words, and by meaning with {embedder.name}"
    why = f" ({reason})" if reason else ""
    st.markdown(safe_markdown(f"They are searched {by}{why}."))
    if embedder is not None and embedder.name == e5.NAME:
        st.caption(e5.ORIGIN)


def _draw_settings() -> None:
    """Draw every setting with its value and its origin."""
    groups: list[type[EnvironmentSettings]] = [
        Settings,
        DocumentSettings,
        EmbeddingSettings,
        PictureSettings,
        *backends.settings_groups(),
    ]
    rows = [
        {"Setting": option.name, "Value": option.value or "–", "From": option.origin, "What it is": option.meaning}
        for group in groups
        for option in group.read().options()
    ]
    with st.expander(f"{len(rows)} settings", icon=":material/tune:"):
        st.dataframe(rows, hide_index=True, alt="Every setting with its value, its origin and what it is")


def _draw_owner(context: PageContext) -> None:
    """Draw the owner's name for the terminal, once it is asked for."""
    st.header("Your conversations", anchor=False)
    st.markdown("The terminal can export them too, by the name that your conversations are kept under.")
    is_shown = st.toggle("Show my name", key="owner-shown")
    with st.container():  # of its own, so that what comes and goes here moves nothing below
        if is_shown:
            _draw_export_command(context)


def _draw_export_command(context: PageContext) -> None:
    """Draw the command that exports this visitor's conversations."""
    st.warning(
        "Whoever has this name, and access to the database, sees your conversations. Keep it to yourself.",
        icon=":material/key:",
    )
    st.code(f"python cli.py export --all --owner {context.owner.name}", language=None, wrap_lines=True)
    if not context.owner.is_permanent:
        st.caption("It belongs to this tab, and is another one after the page is loaded anew.")


def _draw_notebooks() -> None:
    """Draw a download button for each notebook."""
    files = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not files:
        return
    st.header("Notebooks", anchor=False)
    st.caption("The model's training, and the chain, step by step.")
    with st.container(horizontal=True):
        for path in files:
            st.download_button(
                path.name,
                path.read_bytes(),
                path.name,
                "application/x-ipynb+json",
                icon=":material/download:",
                on_click="ignore",
                key=f"notebook-{path.stem}",
            )


def _draw_models() -> None:
    """Draw the models that ship: SmolLM2's weights, if pip brought them, and the card of each folder in models/."""
    st.header("The models that ship", anchor=False)
    base = backends.shipped
    there = models.format_bytes(base.BASE_SIZE) if base.base_gguf() else safe_markdown(base.absence())
    st.markdown(f"**{base.BASE_NAME}** ({base.BASE_LICENCE}): {there}.")
    for card in sorted(MODELS.glob("*/README.md")):
        _draw_card(card)


def _draw_card(card: Path) -> None:
    """Draw a model's card and its licence, with the pictures that lie beside it."""
    text = card.read_text(encoding="utf-8")
    licence = LICENCE.search(text)
    name = f"models/{card.parent.name}" + (f" ({licence[1].strip()})" if licence else "")
    with st.expander(f"Model card: {name}", icon=":material/description:"):
        parts = IMAGE.split(FRONT.sub("", text))  # text, then caption, file and text for each picture
        _draw_prose(parts[0])
        for caption, picture, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if card.with_name(picture).is_file():
                st.image(str(card.with_name(picture)), alt=caption or picture)
            _draw_prose(after)


def _draw_prose(text: str) -> None:
    """Draw Markdown without links into the repository, which lead nowhere, and code without pale colours."""
    st.markdown(safe_markdown(FENCE.sub("```", LINK.sub(r"\1", text)), keeps_lines=False))
