"""An OpenID Connect provider on loopback: discovery, keys, codes and signed tokens, and a page to pick a person."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.asgi import listening

PEOPLE = ("alice", "bob")
CLIENT = "llm-assistant"


class Provider:
    """Whoever clicks a name is that person."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.secret = secrets.token_urlsafe(16)
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        """The endpoints of the flow with a code."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/chosen", self._chosen),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    async def _discovery(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        links = [f'<a href="/chosen?{urlencode({**asked, "person": person})}">{person}</a>' for person in PEOPLE]
        return HTMLResponse(" ".join(links))

    async def _chosen(self, request: Request) -> Response:
        asked = dict(request.query_params)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def _token(self, request: Request) -> Response:
        asked = self._codes.pop(str((await request.form())["code"]))
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer, "aud": CLIENT, "sub": f"{asked['person']}-1", "name": asked["person"].title(),
            "nonce": asked["nonce"], "iat": now, "exp": now + 600,
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return JSONResponse(
            {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 600, "id_token": token}
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})


@contextmanager
def running(port: int) -> Iterator[Provider]:
    """The provider on a loopback port, in a thread."""
    made = Provider(f"http://127.0.0.1:{port}")
    with listening(made.app(), port):
        yield made
