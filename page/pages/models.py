"""The page Models: what lies on this machine, good small models by size, and the hub's; download and removal.

The hub is asked when somebody presses Search, Show files or Get, and never else. A download runs in this process,
whoever looks at it: another run of the page, or another tab, sees the same.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

import backends
from backends import models
from page.session.context import PageContext, draw_title, load_context
from page.session.error import draw_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.permission import may_download
from settings import Settings, SettingsError

TICK, IDLE_TICK = 0.5, 3.0  # seconds between two looks at the downloads, while one runs and else
ICONS = {"fits": ":material/check_circle:", "tight": ":material/warning:", "does not fit": ":material/block:"}
FOUND, SHOWN, NOTE = "models-found", "models-repository", "models-note"  # in the session's state
REFUSAL = "Models are downloaded and removed by whoever runs this server (`python cli.py models`, MODELS_DOWNLOAD)."


def draw() -> None:
    """Draw the page."""
    context = load_context()
    draw_title("Models", wide=True)
    allowed = may_download(context.settings)
    _draw_note()
    if allowed:
        _draw_downloads()
    entries = backends.list_catalogue(context.settings)
    _draw_table(entries, context.settings)
    _draw_model(entries, context, allowed)
    _draw_recommended(context.settings, allowed)
    if allowed:
        _draw_search(context.settings)
    else:
        st.caption(REFUSAL)


def _draw_note() -> None:
    """Draw what a press left to say, once."""
    is_error, text = st.session_state.pop(NOTE, (False, ""))
    if text and is_error:
        draw_error(text)
    elif text:
        st.success(escape_markdown(text), icon=":material/check_circle:")


def _draw_downloads() -> None:
    """Draw the downloads of this process, and look again after a while."""
    states = _download_states()
    runs = any(state == "running" for _, state in states)
    st.fragment(_draw_progress, run_every=TICK if runs else IDLE_TICK)(states)


def _download_states() -> list[tuple[str, str]]:
    return [(each.spec, each.state) for each in models.list_downloads()]


def _draw_progress(drawn: Sequence[tuple[str, str]]) -> None:
    """Draw how far each download is; the page is drawn anew when one began or ended."""
    if _download_states() != list(drawn):
        st.rerun()
    for number, each in enumerate(models.list_downloads()):
        with st.container(horizontal=True, vertical_alignment="center", key=f"download-{number}"):
            if each.state == "running":
                st.progress(each.progress.share, text=escape_markdown(f"{each.spec}: {each.progress.label}"))
                st.button("Cancel", key=f"cancel-{each.spec}", icon=":material/close:", on_click=each.cancel)
            else:
                _draw_outcome(each)
                st.button("Dismiss", key=f"dismiss-{each.spec}", on_click=models.dismiss, args=(each.spec,))


def _draw_outcome(download: models.Download) -> None:
    """Draw what became of a download."""
    if download.state == "failed":
        st.error(safe_markdown(download.error or ""), icon=":material/error:")
    elif download.state == "cancelled":
        text = f"{download.spec}: cancelled. What came is kept: Get goes on from there."
        st.info(escape_markdown(text), icon=":material/info:")
    else:
        st.success(escape_markdown(f"{download.spec} is here."), icon=":material/check_circle:")


def _draw_table(entries: Sequence[models.Entry], settings: Settings) -> None:
    """Draw every model that lies here, a row each."""
    st.header("On this machine", anchor=False)
    rows = [_row(entry, settings) for entry in entries]
    st.dataframe(rows, hide_index=True, alt="Every model on this machine, with what it is, needs and can")
    for entry in entries:
        if entry.problem:
            st.caption(f":material/block: {escape_markdown(entry.name)} {safe_markdown(entry.problem)}.")


def _row(entry: models.Entry, settings: Settings) -> dict[str, Any]:
    need = None if entry.problem else backends.estimate_memory(entry, settings)
    return {
        "Model": entry.name,
        "Kind": entry.architecture or "-",
        "Parameters": models.format_parameters(entry.parameters),
        "Stored as": entry.quantization or "-",
        "Window": f"{entry.window:,}" if entry.window else "-",
        "Size": models.format_bytes(entry.size),
        "Memory": models.format_bytes(need.total) if need else "-",
        "Loaded": _loaded(entry),
        "Here": "broken" if entry.problem else (models.judge_here(need.total) if need else None) or "-",
        "Can": ", ".join(sorted(map(str, entry.abilities))) or "complete a text",
        "Template": _template(entry, settings),
        "Licence": entry.licence or "-",
        "Kept by": str(entry.origin),
    }


def _loaded(entry: models.Entry) -> str:
    """Whether this process holds the model, and what it was measured to take."""
    sizes = [each.measured for each in backends.residents() if each.held is not None and entry.has_key(each.key)]
    measured = [models.format_bytes(size) for size in sizes if size]
    return ", ".join(["loaded", *(f"{size} measured" for size in measured)]) if sizes else "-"


def _template(entry: models.Entry, settings: Settings) -> str:
    """Whose chat template it would be prompted with."""
    if settings.chat_template is not None:
        return "CHAT_TEMPLATE"
    return "its own" if entry.has_template else "none"


def _draw_model(entries: Sequence[models.Entry], context: PageContext, allowed: bool) -> None:
    """Draw all that is known of one model, and its removal where it is ours."""
    by_name = {f"{entry.name} ({entry.backend})": entry for entry in entries}
    chosen = st.selectbox("About one model", list(by_name), index=None, placeholder="Choose one", key="models-chosen")
    if chosen is None or chosen not in by_name:
        return
    entry = by_name[chosen]
    with st.container(border=True, key="model"):
        st.table([{"What": name, "Value": escape_markdown(text)} for name, text in _facts(entry, context, allowed)])
        if allowed and entry.is_removable:
            with st.expander("Remove", icon=":material/delete:"):  # a popover would open below the window's edge
                st.markdown(f"Delete {escape_markdown(entry.name)}, {models.format_bytes(entry.size)}?")
                st.button("Delete it", key="models-delete", type="primary", on_click=_remove, args=(entry,))
        elif entry.is_removable is False:
            st.caption(f"Kept by: {entry.origin}; it is only read here.")


def _facts(entry: models.Entry, context: PageContext, allowed: bool) -> list[tuple[str, str]]:
    """What is known of a model; where its files lie is for whoever may remove some."""
    need = backends.estimate_memory(entry, context.settings)
    row = {name: str(value) for name, value in _row(entry, context.settings).items() if name not in {"Memory", "Here"}}
    if need is not None:
        sizes = [models.format_bytes(size) for size in (need.total, need.weights, need.context, need.buffers)]
        row["Memory"] = "{}: weights {}, context {}, buffers {}".format(*sizes)
        row["Here"] = models.judge_here(need.total) or "-"
    row["Answers through"] = entry.backend
    if allowed:
        row["Files"] = ", ".join(map(str, entry.files))
    if entry.problem:
        row["Problem"] = f"It {entry.problem}."
    return list(row.items())


def _remove(entry: models.Entry) -> None:
    settings = backends.read_settings()
    if not may_download(settings):
        return
    try:
        freed = backends.remove(entry, settings)
    except SettingsError as error:
        st.session_state[NOTE] = (True, str(error))
    except OSError as error:
        st.session_state[NOTE] = (True, f"{error.filename}: {error.strerror}")
    else:
        st.session_state[NOTE] = (False, f"{entry.name} is deleted; {models.format_bytes(freed)} are free again.")


def _draw_recommended(settings: Settings, allowed: bool) -> None:
    """Draw the short list of good small models, with what each needs here."""
    st.header("Good small models", anchor=False)
    st.caption("By size; memory at a window of 8,192 tokens, against what this machine has.")
    if told := models.none_fits(models.machine_memory()):
        st.warning(escape_markdown(told), icon=":material/block:")
    for each in models.RECOMMENDED:
        need = each.estimate().total
        fit = models.judge_here(need) or "unknown"
        with st.container(horizontal=True, vertical_alignment="center", key=f"recommended-{each.name}"):
            st.markdown(
                f"{ICONS.get(fit, ':material/help:')} **{escape_markdown(each.name)}** · "
                f"{models.format_bytes(each.megabytes * 10**6)} · needs {models.format_bytes(need)}: {fit} · "
                f"{escape_markdown(each.licence)} · {escape_markdown(each.about)}"
            )
            if allowed:
                _draw_get(each.spec, f"recommended {each.name}")


def _draw_get(spec: str, key: str) -> None:
    """Draw the button that downloads a model."""
    st.button(
        "Get", key=f"get-{key}", icon=":material/download:", on_click=_get, args=(spec,), help=escape_markdown(spec)
    )


def _get(spec: str) -> None:
    settings = backends.read_settings()
    if may_download(settings):
        models.start(spec, settings.group(models.ModelsSettings).home)


def _draw_search(settings: Settings) -> None:
    """Draw the search on the hub, what it found, and the files of the repository that was chosen."""
    st.header("On the Hugging Face hub", anchor=False)
    with st.form("models-search", border=False):
        words = st.text_input("Search the hub for GGUF models", placeholder="qwen3 gguf", key="models-words")
        if st.form_submit_button("Search", icon=":material/search:") and words.strip():
            with st.spinner("Asking the hub"):
                _ask(FOUND, lambda: models.search(words.strip()))
            st.session_state.pop(SHOWN, None)
    found = st.session_state.get(FOUND)
    if isinstance(found, str):
        draw_error(found)
    elif found == []:
        st.caption("Nothing found.")
    for each in found if isinstance(found, list) else []:
        _draw_result(each)
    _draw_repository()


def _ask(key: str, question: Any) -> None:
    """Keep what the hub answers in the session, or why it does not."""
    try:
        st.session_state[key] = question()
    except models.HubError as error:
        st.session_state[key] = str(error)


def _draw_result(result: models.SearchResult) -> None:
    """Draw one repository that was found."""
    figures = [
        models.format_parameters(result.parameters),
        f"{result.downloads:,} downloads",
        result.licence or "no licence",
    ]
    with st.container(horizontal=True, vertical_alignment="center", key=f"found-{result.repository}"):
        terms = " · on terms only" if result.is_gated else ""
        st.markdown(f"**{escape_markdown(result.repository)}** · {escape_markdown(' · '.join(figures))}{terms}")
        st.button("Show files", key=f"show-{result.repository}", on_click=_show, args=(result.repository,))


def _show(repository: str) -> None:
    _ask(SHOWN, lambda: models.read_repository(repository))


def _draw_repository() -> None:
    """Draw the models that the chosen repository offers."""
    shown = st.session_state.get(SHOWN)
    if isinstance(shown, str):
        draw_error(shown)
    if not isinstance(shown, models.Repository):
        return
    st.subheader(escape_markdown(shown.name), anchor=False)
    try:
        offers = shown.offers()
    except models.ChoiceError as error:
        draw_error(str(error))
        return
    if not offers:
        st.caption("It holds no model that a backend here loads.")
    for offer in offers:
        with st.container(horizontal=True, vertical_alignment="center", key=f"offer-{offer.name}"):
            st.markdown(f"{escape_markdown(offer.name)} · {models.format_bytes(offer.size)}")
            _draw_get(f"{shown.name}:{offer.name}", offer.name)
