"""The sidebar: a new chat, the conversations there are, and files with more of them."""

import streamlit as st

from conversations import exchange
from conversations.replies import held_here
from conversations.store import Project
from page.chat import listing, menu, sharing
from page.session.context import PageContext
from page.session.current import open_conversation
from page.session.error import draw_error
from page.session.markdown import escape_markdown
from page.session.project import open_project

MAX_LINES = 20  # lines on what an import brought and left out


def draw(context: PageContext, project: Project | None) -> None:
    """Draw New chat, Undo, the projects and conversations, and the import."""
    with st.sidebar:
        st.button("New chat", icon=":material/edit_square:", on_click=open_conversation, width="stretch")
        if project is not None:
            st.button(
                f"New chat in {escape_markdown(project.name)}",
                key="new-inside",
                icon=":material/edit_square:",
                on_click=open_project,
                args=(project.id,),
                width="stretch",
                wrap=False,
            )
        menu.draw_undo(context.store)
        listing.draw(context.store, project)
        with st.expander("Import", icon=":material/upload:"):
            _draw_import(context)
        sharing.draw_links(context)
        if not context.owner.is_permanent:
            st.caption("These conversations belong to this tab and cannot be found again after it is closed.")


def _draw_import(context: PageContext) -> None:
    """Draw the upload of conversations, this program's or another's, and what the last one brought."""
    turn: int = st.session_state.setdefault("imports", 0)  # another key empties the box
    st.caption(
        f"A file of more than {st.get_option('server.maxUploadSize'):,} MB: `python cli.py import FILE --owner NAME` "
        "in a terminal, where of a zip only the conversations count. About shows your name."
    )
    st.file_uploader(
        "Conversations from this program, ChatGPT, Claude, Open WebUI or others",
        key=f"import-{turn}",
        help=f"Known by what stands in them, zips too: {', '.join(exchange.known_forms())}.",
        on_change=_import_file,
        args=(context, f"import-{turn}"),
    )
    outcome = st.session_state.get("imported")
    if isinstance(outcome, exchange.ExchangeError):
        draw_error(str(outcome))
    elif outcome:
        for line in outcome[:MAX_LINES]:
            st.caption(escape_markdown(line))


def _import_file(context: PageContext, key: str) -> None:
    file = st.session_state[key]
    if file is None:
        return
    st.session_state["imports"] += 1
    try:
        parsed = exchange.parse(file, file.name)
        report = exchange.import_files(context.store, parsed, hold=held_here)
    except exchange.ExchangeError as error:
        st.session_state["imported"] = error
        return
    st.session_state["imported"] = exchange.describe_import(parsed, report)
