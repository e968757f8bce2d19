"""A warning, once, where anybody from elsewhere may spend the owner's money over the API. Knows keys and addresses."""

import logging

from api.http.state import AppState
from exposure import exposure_warning, is_remote

log = logging.getLogger(__name__)
REMEDY = "Set API_KEYS or API_KEYS_FILE (`python cli.py key NAME` makes a key), or listen on 127.0.0.1."


def warn_if_exposed(found: AppState, address: str) -> None:
    """At the start with the address that is set, later with the one a request arrived at: a server may have another."""
    if found.exposure_warned or not is_remote(address):
        return
    found.exposure_warned = True
    if not (found.settings.api_keys or found.settings.api_keys_file):
        text = exposure_warning(found.settings, address, "the API", REMEDY)
        if text is not None:
            log.warning("%s", text)
