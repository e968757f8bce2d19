"""The persona picker: shipped ones, those in data/personas and one's own; edited for one conversation, or saved."""

from functools import partial
from typing import Any

import streamlit as st

from conversations.store import Conversation, MessageError, NotFoundError, Store, personas
from page.session.binding import accept_change, bind, is_replaced
from page.session.context import PageContext
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from prompts.persona import Persona, random_other

NO_PERSONA = "No persona"
PICKER = "persona"


def draw(context: PageContext, conversation: Conversation | None) -> None:
    """Draw a button with the persona's name, and the picker behind it."""
    store, (available, own, problem) = context.store, personas.available(context.kept)
    if conversation is None:
        _choose_at_random(available)
    persona = current_persona(conversation)
    label = escape_markdown(persona.name) if persona else "Persona"
    # under a new name nobody opens the list that is about to go: what is emptied has no children left to show
    popover = st.empty().popover if is_replaced(PICKER, persona) else st.popover
    with popover(label, icon=":material/theater_comedy:"):
        if problem:
            st.warning(safe_markdown(problem))
        _draw_picker(store, persona, available)
        st.toggle("Surprise me", key="surprise", persist_state="session", help="Each new chat begins with another one")
        if persona:
            st.caption(escape_markdown(persona.description))
        _draw_editor(context, persona, own)


def current_persona(conversation: Conversation | None) -> Persona | None:
    """The persona of the open conversation, or of the one that will begin; None without one."""
    fields: dict[str, Any] | None = (
        conversation.persona if conversation else current_conversation().new_fields.get("persona")
    )
    return Persona.from_dict(fields) if fields else None


def _choose_at_random(personas: list[Persona]) -> None:
    """Give a new chat another persona than the last one, once."""
    fields, last = current_conversation().new_fields, st.session_state.get("surprised")
    if st.session_state.get("surprise") and "persona" not in fields:
        persona = random_other(personas, last)
        st.session_state["surprised"] = persona.slug
        fields["persona"] = persona.to_dict()


def _draw_picker(store: Store, persona: Persona | None, available: list[Persona]) -> None:
    """Draw the list of personas; one edited for this conversation alone stands in it as well."""
    by_slug = {each.slug: each for each in available}
    options: list[Persona | None] = [None, *available]
    edited = persona if persona and by_slug.get(persona.slug, persona) != persona else None
    if persona not in options:
        options.insert(1, persona)
    key = bind(PICKER, persona)
    st.selectbox(
        "Persona",
        options,
        options.index(persona),
        key=key,
        format_func=partial(_label, edited),
        on_change=accept_change,
        args=(PICKER, key, partial(_use, store)),
    )


def _label(edited: Persona | None, persona: Persona | None) -> str:
    """What a persona is picked by: the browser reports these words, so the edited and the saved one need their own."""
    if persona is None:
        return NO_PERSONA
    return f"{persona.name}: {persona.description}{' (edited)' if persona == edited else ''}"


def _use(store: Store, persona: Persona | None) -> None:
    try:
        update_conversation(store, persona=None if persona is None else persona.to_dict())
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
    _use(store, persona)
