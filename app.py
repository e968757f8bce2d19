"""The page: which pages there are, and nothing else. Each draws itself in page/; no model here, and no database."""

import logging

import streamlit as st

from conversations.store import DatabaseError
from page.pages import about, chat, compare, complete, insights, models
from page.session import presses
from page.session.current import follow_history
from page.session.error import draw_error
from page.session.owner import require_login
from settings import ROOT

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def main() -> None:
    """One run of the script, which Streamlit starts at every change."""
    st.set_page_config("LLM Assistant", page_icon=str(ROOT / "page" / "icon.png"))
    pages = [
        st.Page(chat.draw, title="Chat", url_path="chat", default=True),
        st.Page(complete.draw, title="Complete", url_path="complete"),
        st.Page(compare.draw, title="Compare", url_path="compare"),
        st.Page(models.draw, title="Models", url_path="models"),
        st.Page(insights.draw, title="Insights", url_path="insights"),
        st.Page(about.draw, title="About", url_path="about"),
    ]
    inside = require_login()
    page = st.navigation(pages, position="top" if inside else "hidden")
    if page == pages[0]:
        follow_history()
    presses.accept()
    if inside:
        try:
            page.run()
        except DatabaseError as error:  # what was posted waits for the next run
            draw_error(str(error))


main()
