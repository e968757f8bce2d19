"""The page: draws the conversation and passes text on. No model here, and no database."""

import logging

import streamlit as st
from langchain_core.exceptions import ModelNotFoundError

import backends
from chains.assistant import build
from conversations import conversation as conversations
from conversations.conversation import Conversation, MessageError
from conversations.preload import preload
from page import bubble, sidebar, welcome
from settings import ROOT, Settings, SettingsError

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def main() -> None:
    """One run of the script, which Streamlit starts at every change."""
    st.set_page_config("LLM Assistant", page_icon=str(ROOT / "page" / "icon.png"))
    st.title("LLM Assistant")
    try:
        settings = Settings.read()
        choice = backends.choose(settings)
        for group in backends.knobs():
            group.read()
    except (SettingsError, ModelNotFoundError) as error:
        st.error(str(error))
        st.stop()
    preload(choice.name, settings)
    conversation = current()
    chosen = sidebar.draw(settings, choice, conversation)
    pressed = None if conversation.turns else welcome.draw(chosen.backend)
    for position, turn in enumerate(conversation.turns):
        bubble.draw(turn, position)
    if chosen.problem:
        st.error(chosen.problem, icon=":material/error:")
    text = st.chat_input("Write a message", disabled=chosen.problem is not None) or pressed
    if text and chosen.backend and not chosen.problem:
        send(conversation, text, settings, chosen)


def current() -> Conversation:
    """The conversation of this page: the one in the address, or a new one that goes there with its first message."""
    found = conversations.find(st.query_params.get("c")) or st.session_state.get("conversation") or Conversation()
    st.session_state["conversation"] = found
    return found


def send(conversation: Conversation, text: str, settings: Settings, chosen: sidebar.Chosen) -> None:
    """Start a reply and draw the page anew."""
    assert chosen.backend is not None
    chain = build(settings, chosen.backend, system=chosen.system, options=chosen.options)
    try:
        conversation.send(text, chain)
    except MessageError as error:
        st.error(str(error))
        return
    st.query_params["c"] = conversation.id
    st.rerun()


main()
