"""`POST /sms`: a text message in, the reply to it out as TwiML, or later where it takes long.

Knows the way of a message; nothing of signatures, tables or Twilio's API.
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from langchain_core.exceptions import ModelError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from api.http.errors import ApiError, error_responses
from api.http.jobs import Job, run_while_connected
from api.http.state import AppState, StateDep
from api.sms.chat import DuplicateMessageError, PhoneChat, phone_chat
from api.sms.form import REQUEST_BODY, TextMessage, verify_message
from api.sms.outbox import deliver
from api.sms.sentence import shorten
from conversations.replies import GenerationRequest, Reply, watch
from conversations.store import DatabaseError, Decision, Message, MessageError, NotFoundError, State

router = APIRouter(tags=["sms"])
ANSWERS = {"yes": Decision.ONCE, "y": Decision.ONCE, "no": Decision.NO, "n": Decision.NO}
ASKING = "{} wants to be called with {}. Reply yes or no."
LONGEST_ASKED = 300  # characters of a call's arguments in a text message
HELP = "Write me anything, and I answer. /reset: we start anew, with somebody else. /more: my last answer again."
EMPTY = "I can only read words. " + HELP
SORRY = "Sorry, I cannot answer that just now. Please try again in a minute."
SLOW = "I need more time for this. Please text /more in a moment."
INVALID_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what no XML may hold
TWIML_EXAMPLE = '<?xml version="1.0" encoding="UTF-8"?><Response><Message>I am fine, thank you!</Message></Response>'
TWIML = {"application/xml": {"schema": {"type": "string"}, "example": TWIML_EXAMPLE}}
ANSWER: dict[int | str, dict[str, Any]] = {200: {"description": "TwiML", "content": TWIML}}


@router.post(
    "/sms",
    response_class=Response,
    responses={**ANSWER, **error_responses(400, 401, 403, 408, 413, 429, 500, 503)},
    openapi_extra=REQUEST_BODY,
)
async def sms(state: StateDep, text: Annotated[TextMessage, Depends(verify_message)], request: Request) -> Response:
    """Twilio's webhook for incoming messages. `/help`, `/reset`, `/more` are commands; failures are told in words."""
    try:
        return await answer(state, phone_chat(state, text.owner), text, request)
    except DuplicateMessageError:
        return twiml("")
    except (MessageError, NotFoundError) as error:
        return twiml(str(error))
    except (ApiError, ModelError, DatabaseError):
        return twiml(SORRY)


async def answer(state: AppState, chat: PhoneChat, text: TextMessage, request: Request) -> Response:
    """The answer to a command, or to a message."""
    command = text.text.lower()
    if command in {"", "/help"}:
        return twiml(HELP if command else EMPTY)
    if command == "/reset":
        persona = await run_in_threadpool(chat.restart, text.sid)
        return twiml(f"We start anew. You now talk to: {persona.name}.")
    if command == "/more":
        return twiml(await repeat_last(state, chat))
    decision = ANSWERS.get(command)
    asked = "" if decision is None else await run_in_threadpool(question, chat)
    if asked:
        return await reply_to(state, chat, text, request, decision)
    return await reply_to(state, chat, text, request)


async def reply_to(
    state: AppState, chat: PhoneChat, text: TextMessage, request: Request, decision: Decision | None = None
) -> Response:
    """The reply to a message, or as it goes on after a `decision`; where it takes more than SMS_WAIT, an empty or a
    waiting answer, and the reply later.
    """
    generation = GenerationRequest(state.settings, state.default_backend())
    start: Callable[[], tuple[int, Reply | None]] = partial(chat.send, text.text, text.sid, generation)
    if decision is not None:
        start = partial(chat.answer, text.sid, decision, generation)
    job, _ = await Job.start_in_thread(state, generation.backend, start)
    if not job.replies:
        job.close()
        return twiml(await run_in_threadpool(question, chat))
    reply = job.replies[0]
    try:
        await run_while_connected(request, reply.join(), min(state.sms.sms_wait, state.api.reply_timeout))
    except ApiError:  # it is slow, or Twilio does not wait any longer
        task = BackgroundTask(send_later, state, job, text.number, chat)
        return twiml("" if state.sms.sends else SLOW, task)
    except BaseException:
        job.close()
        raise
    job.close()
    return twiml(await told(state, chat, reply))


async def told(state: AppState, chat: PhoneChat, reply: Reply | Message) -> str:
    """The text for a reply, and below it what a call of a tool asks."""
    said = reply_text(state, reply)
    asked = await run_in_threadpool(question, chat) if reply.state == State.REQUIRES_ACTION else ""
    return "\n".join(filter(None, (said, asked)))


def question(chat: PhoneChat) -> str:
    """What is asked of the oldest call that waits; empty where none does."""
    waiting = chat.waiting_calls()
    return ASKING.format(waiting[0].name, waiting[0].arguments[:LONGEST_ASKED]) if waiting else ""


async def send_later(state: AppState, job: Job, number: str, chat: PhoneChat) -> None:
    """Wait for the reply, and send it to `number`; where nothing can be sent it is kept for /more."""
    reply = job.replies[0]
    try:
        async with asyncio.timeout(state.api.reply_timeout):
            await reply.join()
        text_to_send = await told(state, chat, reply)
    except TimeoutError:
        text_to_send = SORRY
    finally:
        job.close()
    if text_to_send and state.sms.sends:
        await deliver(state.sms, number, text_to_send)


async def repeat_last(state: AppState, chat: PhoneChat) -> str:
    """The last reply's text, after SMS_WAIT a request for patience."""
    message = await run_in_threadpool(chat.last_reply)
    if message is None:
        return HELP
    try:
        async with asyncio.timeout(state.sms.sms_wait):
            async for _ in watch.follow(chat.store, message.id):
                pass
    except TimeoutError:
        return SLOW
    return await told(state, chat, await run_in_threadpool(chat.store.message, message.id)) or HELP


def reply_text(state: AppState, reply: Reply | Message) -> str:
    """The text to send for a reply, cut to SMS_LENGTH; empty where it was stopped by /reset."""
    if reply.state == State.STOPPED:
        return ""
    text_to_send = strip_invalid_xml(reply.text).strip()
    if reply.state == State.REQUIRES_ACTION:
        return shorten(text_to_send, state.sms.sms_length) if text_to_send else ""
    return shorten(text_to_send, state.sms.sms_length) if text_to_send and reply.state == State.DONE else SORRY


def strip_invalid_xml(text: str) -> str:
    """The text without characters that no XML may hold."""
    return INVALID_XML.sub("", text)


def twiml(text: str, background: BackgroundTask | None = None) -> Response:
    """A TwiML response with one message, or none for an empty text."""
    from twilio.twiml.messaging_response import MessagingResponse

    response = MessagingResponse()
    if text:
        response.message(strip_invalid_xml(text))
    return Response(str(response), media_type="application/xml", background=background)
