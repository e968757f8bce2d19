"""Whose conversations a person sees: two browsers, plain Streamlit, and people who log in, in a real Chromium."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from streamlit.testing.v1 import AppTest

from identity import PREFIX
from settings import ROOT
from tests.conftest import answers, free_port
from tests.identity import CLIENT, Provider, running
from tests.page.conftest import Start, run_page
from tests.page.person import click_button, send_message

pytestmark = pytest.mark.browser
NOTICE = "cannot be found again"
Someone = Callable[..., Page]


@pytest.fixture
def someone(chromium: Browser) -> Iterator[Someone]:
    """A tab of a browser of its own, with what an earlier one kept where that is given."""
    opened: list[BrowserContext] = []

    def tab(kept: object = None) -> Page:
        context = chromium.new_context(storage_state=kept)  # type: ignore[arg-type]
        context.set_default_timeout(300_000)
        opened.append(context)
        return context.new_page()

    yield tab
    for context in opened:
        context.close()


def talked(tab: Page, address: str, text: str) -> str:
    """Say something there; the address of the conversation."""
    tab.goto(address)
    send_message(tab, text)
    tab.wait_for_url("**c=*")
    expect(tab.get_by_text(" tokens ·")).to_be_visible()
    return tab.url


def listed(tab: Page, text: str) -> None:
    expect(tab.get_by_test_id("stSidebar").get_by_role("button", name=text)).to_be_visible()


def strange(tab: Page, address: str, text: str) -> None:
    """The conversation there is not found, and nothing of it is shown."""
    tab.goto(address)
    expect(tab.get_by_role("heading", name="Conversation not found")).to_be_visible()
    expect(tab.get_by_text(text)).to_have_count(0)


def test_two_browsers_see_only_their_own_and_find_it_again(llamacpp: str, someone: Someone) -> None:
    one, two = someone(), someone()
    mine = talked(one, llamacpp, "I like apples")
    theirs = talked(two, llamacpp, "I like pears")
    strange(two, mine, "I like apples")
    strange(one, theirs, "I like pears")
    one.goto(llamacpp)
    listed(one, "I like apples")
    expect(one.get_by_text(NOTICE)).to_have_count(0)
    kept = one.context.storage_state()
    (cookie,) = (c for c in one.context.cookies() if c.get("name", "").startswith(PREFIX))
    assert (cookie.get("httpOnly"), cookie.get("sameSite"), cookie.get("secure")) == (True, "Lax", False)
    assert PREFIX not in one.evaluate("document.cookie")
    one.context.close()
    again = someone(kept)
    again.goto(mine)
    expect(again.get_by_test_id("stChatMessage").first).to_contain_text("I like apples")


def test_tabs_opened_together_at_a_first_visit_share_their_conversations(llamacpp: str, someone: Someone) -> None:
    first = someone()
    with first.context.expect_page() as opening:
        first.evaluate("address => { window.open(address); location.href = address }", llamacpp)
    second = opening.value
    for tab in (first, second):
        tab.get_by_placeholder("Write a message").wait_for()
    mine = talked(first, first.url, "I like apples")
    theirs = talked(second, second.url, "I like pears")
    first.goto(theirs)
    expect(first.get_by_test_id("stChatMessage").first).to_contain_text("I like pears")
    second.goto(mine)
    expect(second.get_by_test_id("stChatMessage").first).to_contain_text("I like apples")


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[str]:
    """`streamlit run app.py`, without the server."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    with (tmp_path / "plain.log").open("wb") as log:
        given = {**os.environ, "LLM_BACKEND": "llamacpp"}
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=given)
    answers(f"http://127.0.0.1:{port}/_stcore/health", process)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def test_plain_streamlit_says_that_nothing_is_found_again_and_shares_nothing(plain: str, someone: Someone) -> None:
    one, two = someone(), someone()
    mine = talked(one, plain, "I like apples")
    expect(one.get_by_text(NOTICE)).to_be_visible()
    forged = {"name": f"{PREFIX}abcdefgh_00000000", "value": "made.up.here", "url": plain}
    two.context.add_cookies([forged])  # type: ignore[list-item]
    strange(two, mine, "I like apples")
    expect(two.get_by_text(NOTICE)).to_be_visible()
    strange(one, mine, "I like apples")  # not even this browser, once the session is over


class Login(NamedTuple):
    """The page with [auth] in Streamlit's secrets, and the provider that they name."""

    address: str
    provider: Provider


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """Secrets are read from the home folder, which is made for this."""
    home = tmp_path_factory.mktemp("home")
    with running(free_port()) as provider:
        secrets = home / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir(parents=True)
        secrets.write_text(
            '[auth]\nredirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            'cookie_secret = "a secret of thirty-two characters"\n'
            f'client_id = "{CLIENT}"\nclient_secret = "{provider.secret}"\n'
            f'server_metadata_url = "{provider.issuer}/.well-known/openid-configuration"\n'
        )
        given = {"LLM_BACKEND": "llamacpp", "HOME": str(home), "DATABASE_URL": f"sqlite:///{home}/conversations.db"}
        with run_page(home / "page.log", None, **given) as address:
            yield Login(address, provider)


def enter(tab: Page, address: str, person: str) -> None:
    tab.goto(address)
    click_button(tab, "Log in")
    tab.get_by_role("link", name=person).click()
    expect(tab.get_by_test_id("stSidebar").get_by_text(person.title(), exact=True)).to_be_visible()


def test_people_log_in_and_each_sees_only_his_own_from_every_browser(login: Login, someone: Someone) -> None:
    alice, bob, elsewhere = someone(), someone(), someone()
    enter(alice, login.address, "alice")
    mine = talked(alice, login.address, "I like apples")
    enter(bob, login.address, "bob")
    strange(bob, mine, "I like apples")
    enter(elsewhere, login.address, "alice")
    listed(elsewhere, "I like apples")
    elsewhere.goto(mine)
    expect(elsewhere.get_by_test_id("stChatMessage").first).to_contain_text("I like apples")
    click_button(elsewhere, "Log out")
    outside(elsewhere)
    elsewhere.goto(mine)
    outside(elsewhere)
    alice.reload()
    listed(alice, "I like apples")


def outside(tab: Page) -> None:
    """The login and nothing beside it."""
    expect(tab.get_by_role("button", name="Log in")).to_be_visible()
    expect(tab.get_by_placeholder("Write a message")).to_have_count(0)
    expect(tab.get_by_test_id("stSidebar")).to_have_count(0)
    expect(tab.get_by_test_id("stTopNavLink")).to_have_count(0)
    assert tab.get_by_test_id("stMain").inner_text().split() == ["LLM", "Assistant", "Log", "in"]


def test_who_has_not_logged_in_sees_the_login_and_nothing_else(login: Login, someone: Someone) -> None:
    tab = someone()
    for path in ("", "complete", "compare", "insights", "about", "nowhere", "?c=guessed"):
        tab.goto(f"{login.address}/{path}")
        outside(tab)


def page(**secrets: object) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, value in secrets.items():
        app.secrets[name] = value
    return app.run()


def test_each_provider_has_a_button() -> None:
    shared = {"redirect_uri": "http://127.0.0.1/oauth2callback", "cookie_secret": "x" * 32}
    app = page(auth={**shared, "one": {"client_id": "1"}, "two": {"client_id": "2"}})
    assert [button.label for button in app.button] == ["Log in with one", "Log in with two"]
    assert not app.chat_input


@pytest.mark.parametrize("auth", [{}, {"cookie_secret": "x" * 32}, "yes"])
def test_a_login_without_provider_lets_nobody_in(auth: object) -> None:
    app = page(auth=auth)
    assert "names no provider" in app.error[0].value
    assert not app.chat_input


def test_secrets_that_cannot_be_read_let_nobody_in(start: Start, someone: Someone, tmp_path: Path) -> None:
    broken = tmp_path / "home" / ".streamlit" / "secrets.toml"
    broken.parent.mkdir(parents=True)
    broken.write_text('[auth]\ncookie_secret = "sesame\n')
    tab = someone()
    tab.goto(start(HOME=str(tmp_path / "home")))
    expect(tab.get_by_text("Nobody can log in")).to_be_visible()
    expect(tab.get_by_placeholder("Write a message")).to_have_count(0)
    expect(tab.get_by_text("sesame")).to_have_count(0)
