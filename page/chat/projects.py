"""The projects in the sidebar: opened, made, and the conversations of the one that is open. Knows no document."""

import streamlit as st

from conversations.store import Conversation, ListedProject, MessageError, Project, Store, projects
from page.chat.row import draw_row
from page.session.error import defer_error
from page.session.markdown import escape_markdown
from page.session.project import open_project

SHOWN = 8  # projects at first
PAGE_SIZE = 30  # of conversations, and of projects that "Show more" adds
NEW = "new-project"


def draw(store: Store, current: Project | None) -> None:
    """Draw the projects, and under the open one its conversations."""
    rows = projects.listing(store)
    limit: int = st.session_state.setdefault("projects-listed", SHOWN)
    shown = [row for at, row in enumerate(rows) if at < limit or (current and row.id == current.id)]
    with st.container(gap="xxsmall", key="projects"):
        for row in shown:
            _draw_project(store, row, is_open=current is not None and row.id == current.id)
    if len(shown) < len(rows):
        st.button(
            f"Show more projects ({len(rows) - len(shown)})", key="more-projects", type="tertiary", on_click=_show_more
        )
    with st.popover("New project", icon=":material/create_new_folder:", key=NEW, type="tertiary"):
        _draw_form(store)


def outside(store: Store, limit: int) -> list[Conversation]:
    """The conversations in no project."""
    return projects.conversations(store, None, limit)


def _show_more() -> None:
    st.session_state["projects-listed"] += PAGE_SIZE


def _draw_project(store: Store, row: ListedProject, is_open: bool) -> None:
    st.button(
        escape_markdown(row.name),
        key=f"folder-{row.id}",
        width="stretch",
        wrap=False,
        type="secondary" if is_open else "tertiary",
        on_click=open_project,
        args=(row.id,),
        icon=":material/folder_open:" if is_open else ":material/folder:",
    )
    if is_open:
        _draw_conversations(store, row)


def _draw_conversations(store: Store, project: ListedProject) -> None:
    key = f"listed-{project.id}"
    limit: int = st.session_state.setdefault(key, PAGE_SIZE)
    rows = projects.conversations(store, project.id, limit + 1)
    with st.container(gap="xxsmall", key="inside"):
        for conversation in rows[:limit]:
            draw_row(conversation)
        if len(rows) > limit:
            st.button("Show more", key=f"more-{project.id}", type="tertiary", on_click=_show_more_inside, args=(key,))


def _show_more_inside(key: str) -> None:
    st.session_state[key] += PAGE_SIZE


def _draw_form(store: Store) -> None:
    with st.form("make-project", border=False, clear_on_submit=True):
        st.text_input("Name of the project", key="project-name", max_chars=projects.MAX_NAME, placeholder="Garden")
        st.form_submit_button("Create", on_click=_create, args=(store,))


def _create(store: Store) -> None:
    try:
        made = projects.create(store, st.session_state["project-name"] or "")
    except MessageError as error:
        defer_error(str(error))
    else:
        open_project(made.id)
