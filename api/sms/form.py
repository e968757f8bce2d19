"""The form that Twilio posts, once its signature, or a key, is verified. Knows forms and signatures; no chat."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials
from starlette.datastructures import ImmutableMultiDict

from api.http.auth import authenticate, bearer
from api.http.body import read_body
from api.http.context import request_context
from api.http.cost import count_request
from api.http.errors import ApiError
from api.http.state import StateDep
from api.settings import SmsSettings
from identity import Pseudonyms
from settings import install_hint

MAX_FIELDS = 200  # Twilio sends about 20, more with many pictures
INSTALL = install_hint("twilio, which /sms needs", "run pip install -r requirements-sms.txt", "EXTRAS=sms") + "."
EXAMPLE = {"From": "+15005550006", "Body": "hi, how are you?", "MessageSid": "SM0123456789abcdef0123456789abcdef"}
PROPERTIES = {
    "From": {"type": "string", "description": "who writes", "minLength": 1, "pattern": r"\S"},
    "Body": {"type": "string", "description": "what"},
    "MessageSid": {"type": "string", "description": "one message, however often it is sent"},
}
REQUEST_BODY: dict[str, Any] = {
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
class TextMessage:
    """A text message from `number`, whose pseudonym is `owner`; `sid`, its id, is empty where the sender gave none."""

    owner: str
    number: str
    text: str
    sid: str


async def verify_message(
    request: Request,
    state: StateDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    x_twilio_signature: Annotated[str, Header(description="needed where the server has TWILIO_AUTH_TOKEN")] = "",
) -> TextMessage:
    """The message, counted for its sender. Raises ApiError 401 for a key, 403 for a signature, 400, 429, 503."""
    if find_spec("twilio") is None:
        raise ApiError(503, INSTALL, code="not_installed")
    principal = None if state.sms.token else authenticate(request, state, credentials)
    fields = parse_form(await read_body(request))
    if state.sms.token:
        check_signature(state.sms, request, fields, x_twilio_signature)
    number = fields.get("From", "").strip()
    if not number:
        raise ApiError(
            400,
            "From is missing: send a form with From, Body and MessageSid, as Twilio does.",
            code="invalid_value",
            param="From",
        )
    text = TextMessage(
        phone_owner(state.pseudonyms, number),
        number,
        fields.get("Body", "").strip(),
        fields.get("MessageSid", "").strip()[:100],
    )
    request_context(request.scope).caller = text.owner if principal is None else principal.name
    await count_request(request, state, text.owner if principal is None else principal.name)
    return text


def phone_owner(pseudonyms: Pseudonyms, number: str) -> str:
    """The owner of a number's conversations, from which nobody can read the number."""
    return f"sms:{pseudonyms.of('phone', number)}"


def parse_form(body: bytes) -> ImmutableMultiDict[str, str]:
    """The fields of a form. Raises ApiError 400 for what is none in UTF-8, or has more than MAX_FIELDS."""
    try:
        return ImmutableMultiDict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise ApiError(
            400, f"The body is no form in UTF-8 of at most {MAX_FIELDS} fields.", code="invalid_form"
        ) from None


def check_signature(sms: SmsSettings, request: Request, fields: ImmutableMultiDict[str, str], signature: str) -> None:
    """Raises ApiError 403 where the signature is not Twilio's for this address and these fields."""
    from twilio.request_validator import RequestValidator

    address = (sms.public_url or "").rstrip("/") + request.url.path
    address += f"?{request.url.query}" if request.url.query else ""
    if not RequestValidator(sms.token).validate(address, fields, signature):
        raise ApiError(
            403,
            "The signature does not fit: X-Twilio-Signature must be made with TWILIO_AUTH_TOKEN for "
            "PUBLIC_URL and /sms.",
            code="invalid_signature",
        )
