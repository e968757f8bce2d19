"""The page: draws the conversation and passes text on. No model here, and no database."""

import logging

import streamlit as st
from langchain_core.exceptions import ModelNotFoundError

import backends
from chains.assistant import build
from conversations import conversation as conversations
from conversations.conversation import LONGEST, Conversation, MessageError
from conversations.preload import preload
from page import bubble, sidebar, welcome
from settings import ROOT, Settings, SettingsError

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def main() -> None:
    """One run of the script, which Streamlit starts at every change."""
    st.set_page_config("LLM Assistant", page_icon=str(ROOT / "page" / "icon.png"))
    st.title("LLM Assistant")
    try:
        settings = backends.read()
        choice = backends.choose(settings)
    except (SettingsError, ModelNotFoundError) as error:
        bubble.failure(str(error))
        st.stop()
    preload(choice.name, settings)
    conversation = current()
    chosen = sidebar.draw(settings, choice, conversation)
    if chosen.backend and not chosen.problem:
        preload(chosen.backend, settings)
        deliver(conversation, settings, chosen)
    if not conversation.turns:
        welcome.draw(chosen.backend, post)
    for position, turn in enumerate(conversation.turns):
        bubble.draw(turn, position)
    if chosen.problem:
        bubble.failure(chosen.problem)
    st.chat_input(
        "Write a message", key="message", max_chars=LONGEST, disabled=chosen.problem is not None, on_submit=post
    )


def current() -> Conversation:
    """The conversation of this page: the one in the address, or a new one that goes there with its first message."""
    wanted = st.query_params.get("c")
    mine: Conversation | None = st.session_state.get("conversation")
    found = conversations.find(wanted) or (mine if mine is not None and not mine.turns else Conversation())
    if wanted and found.id != wanted:
        st.caption("The conversation in this address is no longer here; this is a new one.")
    st.session_state["conversation"] = found
    return found


def post(text: str | None = None) -> None:
    """Called before the script runs: a message is kept until it is delivered, whatever interrupts the run."""
    st.session_state.setdefault("outbox", []).append(text or st.session_state["message"])


def deliver(conversation: Conversation, settings: Settings, chosen: sidebar.Chosen) -> None:
    """Start a reply for each message that was posted."""
    assert chosen.backend is not None
    outbox: list[str] = st.session_state.setdefault("outbox", [])
    while outbox:
        chain = build(settings, chosen.backend, system=chosen.system, options=chosen.options)
        try:
            conversation.send(outbox[0], chain)
        except MessageError as error:
            bubble.failure(str(error))
        outbox.pop(0)
        st.query_params["c"] = conversation.id


main()
