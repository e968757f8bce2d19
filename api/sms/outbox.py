"""Text messages sent through Twilio's REST API, with retries. Logs kinds of failure; no number and no text."""

import asyncio
import logging
from contextlib import closing
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from api.settings import SmsSettings

log = logging.getLogger(__name__)
RETRY_DELAYS = (1.0, 4.0, 15.0)  # seconds before each further try
TIMEOUT = 10.0  # seconds for one


class Failure(NamedTuple):
    """A try that failed; `is_retryable`: another may help, and cannot send the message twice."""

    kind: str
    is_retryable: bool


async def deliver(sms: SmsSettings, number: str, text: str) -> bool:
    """Send a message; whether Twilio took it."""
    for pause in (0.0, *RETRY_DELAYS):
        await asyncio.sleep(pause)
        failure = await run_in_threadpool(_post, sms, number, text)
        if failure is None:
            return True
        log.warning("a text message could not be sent: %s", failure.kind)
        if not failure.is_retryable:
            break
    log.error("a text message was given up; /more shows it")
    return False


def _post(sms: SmsSettings, number: str, text: str) -> Failure | None:
    """One try; None where it succeeded."""
    from requests import ConnectionError as Unreachable
    from requests import RequestException, Session
    from twilio.base.exceptions import TwilioException
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    http = TwilioHttpClient(timeout=TIMEOUT)
    with closing(http.session or Session()):
        client = Client(sms.twilio_account_sid, sms.token, http_client=http)
        client.api.base_url = sms.twilio_api_url
        try:
            client.messages.create(to=number, from_=sms.twilio_number, body=text)
        except TwilioException as error:  # its text may name the number
            status, code = getattr(error, "status", 0), getattr(error, "code", None)
            return Failure(f"Twilio answered {status}, code {code}", status == 429 or status >= 500)
        except RequestException as error:
            return Failure(type(error).__name__, isinstance(error, Unreachable))
    return None
