"""What Twilio posts, once it is proven to be Twilio, or somebody with a key. Knows forms and signatures; no chat."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials
from starlette.datastructures import ImmutableMultiDict

from api.http.auth import bearer, caller
from api.http.body import raw
from api.http.context import note
from api.http.cost import count
from api.http.errors import Problem
from api.http.state import Here
from api.sms.knobs import Sms
from identity import keyed
from settings import Settings, install_hint

FIELDS = 200  # Twilio sends about 20, more with many pictures
INSTALL = install_hint("twilio, which /sms needs", "run pip install -r requirements-sms.txt", "EXTRAS=sms") + "."
EXAMPLE = {"From": "+15005550006", "Body": "hi, how are you?", "MessageSid": "SM0123456789abcdef0123456789abcdef"}
PROPERTIES = {
    "From": {"type": "string", "description": "who writes", "minLength": 1, "pattern": r"\S"},
    "Body": {"type": "string", "description": "what"},
    "MessageSid": {"type": "string", "description": "one message, however often it is sent"},
}
DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "required": ["From"], "properties": PROPERTIES},
                "examples": {
                    "message": {"value": EXAMPLE},
                    "reset": {"value": {**EXAMPLE, "Body": "/reset"}},
                },
            }
        },
    }
}


@dataclass(frozen=True)
class Text:
    """A text message; `owner` stands for its number in the store, `sid` is empty where the sender gave none."""

    owner: str
    number: str
    said: str
    sid: str


async def proven(
    request: Request,
    here: Here,
    sent: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    x_twilio_signature: Annotated[str, Header(description="needed where the server has TWILIO_AUTH_TOKEN")] = "",
) -> Text:
    """The message. Raises Problem 401 without a key, 403 for a wrong signature, 400, 429, 503."""
    if find_spec("twilio") is None:
        raise Problem(503, INSTALL, code="not_installed")
    who = None if here.sms.token else caller(request, here, sent)
    fields = parsed(await raw(request))
    if here.sms.token:
        check(here.sms, request, fields, x_twilio_signature)
    number = fields.get("From", "").strip()
    if not number:
        raise Problem(400, "From is missing: send a form with From, Body and MessageSid, as Twilio does.",
                      code="invalid_value", param="From")  # fmt: skip
    text = Text(
        owner(here.settings, number), number, fields.get("Body", "").strip(), fields.get("MessageSid", "").strip()[:100]
    )
    note(request.scope).caller = text.owner if who is None else who.name
    await count(request, here, text.owner if who is None else who.name)
    return text


def owner(settings: Settings, number: str) -> str:
    """Whose conversations they are: nobody reads the number from it."""
    return f"sms:{keyed(settings, 'phone', number)}"


def parsed(body: bytes) -> ImmutableMultiDict[str, str]:
    """A form's fields. Raises Problem 400."""
    try:
        return ImmutableMultiDict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise Problem(400, f"The body is no form in UTF-8 of at most {FIELDS} fields.", code="invalid_form") from None


def check(sms: Sms, request: Request, fields: ImmutableMultiDict[str, str], signature: str) -> None:
    """Raises Problem 403."""
    from twilio.request_validator import RequestValidator

    address = (sms.public_url or "").rstrip("/") + request.url.path
    address += f"?{request.url.query}" if request.url.query else ""
    if not RequestValidator(sms.token).validate(address, fields, signature):
        raise Problem(403, "The signature does not fit: X-Twilio-Signature must be made with TWILIO_AUTH_TOKEN for "
                      "PUBLIC_URL and /sms.", code="invalid_signature")  # fmt: skip
