"""`POST /sms`: a text message in, the reply to it out as TwiML, or later where it takes long.

Knows the way of a message; nothing of signatures, tables or Twilio's API.
"""

import asyncio
import re
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from langchain_core.exceptions import ModelError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from api.http.errors import Problem, documented
from api.http.jobs import Work, connected
from api.http.state import Here, Setup, backend
from api.sms.chat import Chat, SeenError, chat
from api.sms.form import DOCUMENTED, Text, proven
from api.sms.outbox import deliver
from api.sms.sentence import shorten
from conversations.replies import watch
from conversations.replies.generation import GenerationRequest
from conversations.replies.reply import Reply
from conversations.store.database import DatabaseError
from conversations.store.schema import Message, State
from conversations.store.text import MessageError

router = APIRouter(tags=["sms"])
HELP = "Write me anything, and I answer. /reset: we start anew, with somebody else. /more: my last answer again."
EMPTY = "I can only read words. " + HELP
SORRY = "Sorry, I cannot answer that just now. Please try again in a minute."
SLOW = "I need more time for this. Please text /more in a moment."
UNWRITTEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what no XML may hold
SHOWN = '<?xml version="1.0" encoding="UTF-8"?><Response><Message>I am fine, thank you!</Message></Response>'
TWIML = {"application/xml": {"schema": {"type": "string"}, "example": SHOWN}}
ANSWER: dict[int | str, dict[str, Any]] = {200: {"description": "TwiML", "content": TWIML}}


@router.post(
    "/sms",
    response_class=Response,
    responses={**ANSWER, **documented(400, 401, 403, 408, 413, 429, 500, 503)},
    openapi_extra=DOCUMENTED,
)
async def sms(here: Here, text: Annotated[Text, Depends(proven)], request: Request) -> Response:
    """Twilio's webhook for incoming messages. `/help`, `/reset`, `/more` are commands; failures are told in words."""
    try:
        return await answer(here, chat(here, text.owner), text, request)
    except SeenError:
        return twiml("")
    except MessageError as error:
        return twiml(str(error))
    except (Problem, ModelError, DatabaseError):
        return twiml(SORRY)


async def answer(here: Setup, talk: Chat, text: Text, request: Request) -> Response:
    """What the message asks for."""
    command = text.said.lower()
    if command in {"", "/help"}:
        return twiml(HELP if command else EMPTY)
    if command == "/reset":
        someone = await run_in_threadpool(talk.anew, text.sid)
        return twiml(f"We start anew. You now talk to: {someone.name}.")
    if command == "/more":
        return twiml(await more(here, talk))
    return await replied(here, talk, text, request)


async def replied(here: Setup, talk: Chat, text: Text, request: Request) -> Response:
    """The reply, or an empty answer after SMS_WAIT and the reply later."""
    ask = GenerationRequest(here.settings, backend(here))
    work, _ = await Work.written(here, ask.backend, partial(talk.say, text.said, text.sid, ask))
    reply = work.replies[0]
    try:
        await connected(request, reply.join(), min(here.sms.sms_wait, here.knobs.reply_timeout))
    except Problem:  # it is slow, or Twilio does not wait any longer
        late = BackgroundTask(later, here, work, text.number)
        return twiml("" if here.sms.sends else SLOW, late)
    except BaseException:
        work.close()
        raise
    work.close()
    return twiml(said(here, reply))


async def later(here: Setup, work: Work, number: str) -> None:
    """Wait for the reply, and send it; where nothing can be sent it is kept for /more."""
    reply = work.replies[0]
    try:
        async with asyncio.timeout(here.knobs.reply_timeout):
            await reply.join()
        words = said(here, reply)
    except TimeoutError:
        words = SORRY
    finally:
        work.close()
    if words and here.sms.sends:
        await deliver(here.sms, number, words)


async def more(here: Setup, talk: Chat) -> str:
    """The last reply, once more or at last."""
    found = await run_in_threadpool(talk.last)
    if found is None:
        return HELP
    try:
        async with asyncio.timeout(here.sms.sms_wait):
            async for _ in watch.follow(talk.store, found.id):
                pass
    except TimeoutError:
        return SLOW
    return said(here, await run_in_threadpool(talk.store.message, found.id)) or HELP


def said(here: Setup, reply: Reply | Message) -> str:
    """A reply's words as they are sent; none where it was stopped by /reset."""
    if reply.state == State.STOPPED:
        return ""
    words = plain(reply.text).strip()
    return shorten(words, here.sms.sms_length) if words and reply.state == State.DONE else SORRY


def plain(text: str) -> str:
    """Without what no XML may hold."""
    return UNWRITTEN.sub("", text)


def twiml(text: str, background: BackgroundTask | None = None) -> Response:
    """Twilio's answer: one message, or none."""
    from twilio.twiml.messaging_response import MessagingResponse

    made = MessagingResponse()
    if text:
        made.message(plain(text))
    return Response(str(made), media_type="application/xml", background=background)
