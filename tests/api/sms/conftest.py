"""A phone whose messages come as Twilio sends them, signed, and a stand-in for Twilio's REST API."""

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from twilio.request_validator import RequestValidator

from tests.asgi import listening
from tests.conftest import free_port

TOKEN, ACCOUNT, OURS, THEIRS = "a" * 32, "AC" + "0" * 32, "+15005550006", "+15551234567"
PUBLIC = "https://chat.example.org/bot"
SIGNED = {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": PUBLIC, "LLM_BACKEND": "openai"}
numbers = itertools.count()


@dataclass
class Phone:
    """Sends texts to a server of ours; Twilio, in between, signs with `token` for `url`."""

    client: httpx.Client
    number: str = THEIRS
    token: str = TOKEN
    url: str = PUBLIC

    def post(self, said: str | None, sid: str | None = None, **more: str) -> httpx.Response:
        """One message as Twilio passes it on."""
        form = {
            "From": self.number,
            "To": OURS,
            "MessageSid": sid or f"SM{next(numbers):032x}",
            "NumMedia": "0",
            **more,
        }
        form |= {} if said is None else {"Body": said}
        signature = RequestValidator(self.token).compute_signature(f"{self.url}/sms", form)
        return self.client.post("/sms", data=form, headers={"X-Twilio-Signature": signature})

    def text(self, said: str | None, sid: str | None = None) -> str:
        """What comes back at once; "" for nothing."""
        answer = self.post(said, sid)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/xml"
        found = ElementTree.fromstring(answer.content)
        assert found.tag == "Response"
        assert [each.tag for each in found] in ([], ["Message"])
        return found.findtext("Message") or ""


@dataclass
class Twilio:
    """What was sent through it; `script` are statuses of the next answers."""

    url: str
    sent: list[dict[str, str]] = field(default_factory=list)
    script: list[int] = field(default_factory=list)
    tries: int = 0

    async def messages(self, request: Request) -> Response:
        """POST /2010-04-01/Accounts/{sid}/Messages.json"""
        self.tries += 1
        wanted = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}" or request.path_params["sid"] != ACCOUNT:
            return JSONResponse({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        status = self.script.pop(0) if self.script else 201
        body = dict(httpx.QueryParams((await request.body()).decode()))
        if status != 201:
            return JSONResponse({"code": 21211, "message": f"No {body['To']}", "status": status}, status)
        self.sent.append(body)
        return JSONResponse({"sid": "SM" + "1" * 32, "to": body["To"], "body": body["Body"]}, 201)


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Twilio]:
    """A stand-in at TWILIO_API_URL; the server sends from OURS."""
    port = free_port()
    made = Twilio(f"http://127.0.0.1:{port}")
    for name, value in {"API_URL": made.url, "ACCOUNT_SID": ACCOUNT, "NUMBER": OURS}.items():
        monkeypatch.setenv(f"TWILIO_{name}", value)
    app = Starlette(routes=[Route("/2010-04-01/Accounts/{sid}/Messages.json", made.messages, methods=["POST"])])
    with listening(app, port):
        yield made
