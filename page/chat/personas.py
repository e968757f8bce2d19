"""The persona picker: shipped ones, those in data/personas and one's own; edited for one conversation, or saved."""

from functools import partial
from typing import Any

import streamlit as st

from conversations import store as stored
from conversations.store import Conversation, MessageError, NotFoundError, Project, Store, personas
from page.session.binding import draw_select, is_replaced
from page.session.context import PageContext
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.project import effective, own_choice
from prompts.persona import Persona, random_other

NO_PERSONA = "No persona"
PROJECTS = "The project's persona"
PICKER = "persona"


def draw(context: PageContext, conversation: Conversation | None, project: Project | None) -> None:
    """Draw a button with the persona's name, and the picker behind it."""
    store, (available, own, problem) = context.store, personas.available(context.kept)
    if conversation is None:
        _choose_at_random(available)
    persona = current_persona(conversation, project)
    choice = _choice(conversation, project)
    label = escape_markdown(persona.name) if persona else "Persona"
    # under a new name nobody opens the list that is about to go: what is emptied has no children left to show
    popover = st.empty().popover if is_replaced(PICKER, choice) else st.popover
    with popover(label, icon=":material/theater_comedy:"):
        if problem:
            st.warning(safe_markdown(problem))
        _draw_picker(store, choice, available, project)
        st.toggle("Surprise me", key="surprise", persist_state="session", help="Each new chat begins with another one")
        if persona:
            st.caption(escape_markdown(persona.description))
        _draw_editor(context, persona, own)


def current_persona(conversation: Conversation | None, project: Project | None) -> Persona | None:
    """The persona that speaks in the open conversation, or in the one that will begin; None without one."""
    fields = effective(conversation, project).persona
    return Persona.from_dict(fields) if fields else None


def _choice(conversation: Conversation | None, project: Project | None) -> Persona | str:
    """What the picker stands at: a persona of the conversation's own, its project's, or none."""
    fields = own_choice(conversation, "persona")
    if fields:
        return Persona.from_dict(fields)
    has_other = project is not None and bool(project.persona) and fields is None
    return PROJECTS if has_other else NO_PERSONA


def _choose_at_random(personas: list[Persona]) -> None:
    """Give a new chat another persona than the last one, once."""
    fields, last = current_conversation().new_fields, st.session_state.get("surprised")
    if st.session_state.get("surprise") and "persona" not in fields:
        persona = random_other(personas, last)
        st.session_state["surprised"] = persona.slug
        fields["persona"] = persona.to_dict()


def _draw_picker(store: Store, choice: Persona | str, available: list[Persona], project: Project | None) -> None:
    """Draw the list of personas; one edited for this conversation alone stands in it as well."""
    by_slug = {each.slug: each for each in available}
    inherited = project is not None and bool(project.persona)
    options: list[Persona | str] = [*([PROJECTS] if inherited else []), NO_PERSONA, *available]
    edited = choice if isinstance(choice, Persona) and by_slug.get(choice.slug, choice) != choice else None
    if choice not in options:
        options.insert(1, choice)
    draw_select("Persona", options, choice, partial(_label, edited), PICKER, partial(_pick, store, project))


def _label(edited: Persona | None, persona: Persona | str) -> str:
    """What a persona is picked by: the browser reports these words, so the edited and the saved one need their own."""
    if isinstance(persona, str):
        return persona
    return f"{persona.name}: {persona.description}{' (edited)' if persona == edited else ''}"


def _pick(store: Store, project: Project | None, choice: Persona | str) -> None:
    """Use what was picked; none is a choice of its own where a project has one."""
    none = stored.NO_PERSONA if project is not None and project.persona and choice != PROJECTS else None
    _use(store, choice.to_dict() if isinstance(choice, Persona) else none)


def _use(store: Store, fields: dict[str, Any] | None) -> None:
    try:
        update_conversation(store, persona=fields)
    except NotFoundError as error:
        defer_error(str(error))


def _draw_editor(context: PageContext, persona: Persona | None, own: list[Persona]) -> None:
    """Draw the form for name, description and sentences: for this conversation, or to keep."""
    suffix = f"{current_conversation().conversation_id}-{persona.slug if persona else ''}"
    label = "Edit" if persona else "Write your own"
    with st.expander(label, icon=":material/edit:"), st.form(f"who-{suffix}", border=False):
        keys = [f"{part}-{suffix}" for part in ("name", "about", "sentences")]
        st.text_input("Name", persona.name if persona else "", key=keys[0], max_chars=100)
        st.text_input("Description", persona.description if persona else "", key=keys[1], max_chars=300)
        st.text_area(
            "Sentences, one a line",
            "\n".join(persona.sentences) if persona else "",
            key=keys[2],
            placeholder="I have two cats.",
            max_chars=personas.MAX_CHARACTERS,
        )
        st.form_submit_button("Use in this chat", on_click=_save_edited, args=(context.store, keys))
        st.form_submit_button("Save as my own", on_click=_save_edited, args=(context.store, keys, context.kept))
    if persona and persona.slug in {each.slug for each in own}:
        forgotten = (context.kept, persona.slug)
        st.button("Delete from my own", key=f"forget-{suffix}", on_click=personas.remove, args=forgotten)


def _save_edited(store: Store, keys: list[str], kept: Store | None = None) -> None:
    """Use what was written, and keep it there too."""
    try:
        persona = personas.parse(*(st.session_state[key] for key in keys))
    except MessageError as error:
        defer_error(str(error))
        return
    if kept is not None:
        personas.save(kept, persona)
    _use(store, persona.to_dict())
