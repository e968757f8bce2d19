"""Whether a caller may change which models lie on this machine's disk, by MODELS_DOWNLOAD.

Knows settings and a request; nothing of models.
"""

from fastapi import Request

from api.http.auth import client_address
from api.http.errors import ApiError
from api.http.state import AppState
from backends import ModelsSettings
from exposure import is_local, is_remote


def check_may_manage(state: AppState, request: Request) -> None:
    """Raise ApiError 403 unless the caller may: from this machine, or from anywhere with MODELS_DOWNLOAD=all."""
    allowed = state.settings.group(ModelsSettings).download
    if allowed == "all" or (allowed == "local" and _is_here(state, request)):
        return
    text = (
        "Models are downloaded and removed by whoever runs this server (`python cli.py models`). "
        "MODELS_DOWNLOAD=all lets everybody who may call it."
    )
    raise ApiError(403, text, code="models_not_allowed")


def _is_here(state: AppState, request: Request) -> bool:
    """Whether the caller sits at this machine, whatever address the server was started with."""
    return not is_remote(client_address(request)) and is_local(state.settings.host, request.headers)
