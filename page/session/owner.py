"""Whose page this is: the person who logged in, the browser by its cookie, or this browser session alone.

Knows Streamlit's login and cookies; nothing of conversations.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.errors import StreamlitAuthError, StreamlitSecretNotFoundError

from identity import PREFIX, cookies
from page.session.error import draw_error
from settings import Settings, SettingsError


@dataclass(frozen=True)
class Owner:
    """`name` is what the store keeps; `is_permanent` is False where it ends with the browser session."""

    name: str
    is_permanent: bool


def identify_owner(settings: Settings) -> Owner:
    """The owner, never shared and never guessed; who must log in first is shown that alone. Raises SettingsError."""
    if login_providers():
        if not st.user.get("is_logged_in"):
            _draw_login()
            st.stop()
        return Owner(_account_name(), is_permanent=True)
    sent = st.context.cookies
    if any(name.startswith(PREFIX) for name in sent) and (browser_id := cookies(settings).read(sent)):
        return Owner(browser_id.owner, is_permanent=True)
    return Owner(st.session_state.setdefault("owner", f"session:{secrets.token_urlsafe(16)}"), is_permanent=False)


def require_login() -> bool:
    """Whether this visitor may see a page; draws the login where not, and the way out for who is logged in."""
    try:
        if not login_providers():
            return True
    except SettingsError as error:
        draw_error(str(error))
        return False
    if not st.user.get("is_logged_in"):
        _draw_login()
        return False
    with st.sidebar:
        st.text(str(st.user.get("name") or st.user.get("email") or st.user.get("sub") or ""))
        st.button("Log out", key="logout", on_click=st.logout)
    return True


def login_providers() -> tuple[str, ...]:
    """Names of the providers in Streamlit's [auth] secrets, "default" for the unnamed one; () where nobody logs in.

    Raises SettingsError for secrets that cannot be read: without them everybody would come in.
    """
    try:
        auth = st.secrets.get("auth")
    except StreamlitSecretNotFoundError as error:
        if error.error_id == "no-secrets-found":
            return ()
        raise SettingsError(f"Nobody can log in: {error}") from error
    if auth is None:
        return ()
    sections = {"default": auth, **auth} if isinstance(auth, Mapping) else {}
    names = tuple(name for name, part in sections.items() if isinstance(part, Mapping) and "client_id" in part)
    if not names:
        raise SettingsError("Nobody can log in: [auth] in secrets.toml names no provider, it has no client_id")
    return names


def _draw_login() -> None:
    """Draw a button for each provider."""
    st.title("LLM Assistant")
    for name in login_providers():
        if st.button("Log in" if name == "default" else f"Log in with {name}", key=f"login {name}", type="primary"):
            try:
                st.login(None if name == "default" else name)
            except StreamlitAuthError as error:
                draw_error(" ".join(str(error).split()))


def _account_name() -> str:
    """The owner's name of whoever logged in: one for a person in every browser, another for each issuer.

    Raises SettingsError.
    """
    issuer, subject = st.user.get("iss"), st.user.get("sub")
    if not issuer or not subject:
        raise SettingsError("The login brought no issuer or no subject: ask for the scope openid in [auth]")
    return "user:" + hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()
