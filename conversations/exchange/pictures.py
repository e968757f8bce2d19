"""The pictures of a conversation's messages, out of the tables and into them. Knows tables and what unpacks pictures.

One that comes in a file is drawn anew like any other that comes, unless its owner has it already: then we wrote it. One
that cannot be taken is left out and named; the words beside it stay.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from conversations.exchange.errors import preview
from conversations.store import pictures
from conversations.store.picture_tables import MessagePicture
from conversations.store.pictures import Placed
from conversations.store.schema import Message
from conversations.store.store import NotFoundError, Store
from documents.pictures.picture import Picture, PictureError
from documents.pictures.prepare import prepare

Form = dict[str, Any]
NOT_BASE64 = "is left out: its data is no base64."


def read_pictures(session: Session, conversation_id: str) -> dict[int, list[Form]]:
    """The pictures of a conversation in our form by their messages' ids."""
    having = select(MessagePicture.message_id).join(Message, Message.id == MessagePicture.message_id)
    numbers = session.scalars(having.where(Message.conversation_id == conversation_id).distinct()).all()
    return {
        number: [_to_form(each.picture, each.position) for each in placed]
        for at in numbers
        for number, placed in pictures.load(session, [at]).items()
    }


def save_pictures(session: Session, conversation: Mapping[str, Any], owner: str, message_ids: Sequence[int]) -> None:
    """Write them for messages that are there, which have these numbers in the table."""
    for number, message in zip(message_ids, conversation["messages"], strict=True):
        if forms := message.get("pictures", ()):
            pictures.attach(session, owner, number, [Placed(_of_form(each), each.get("position", 0)) for each in forms])


def check_pictures(conversation: Mapping[str, Any], store: Store, notes: list[str]) -> dict[str, Any]:
    """The conversation with pictures as they are kept, without those that cannot be; `notes` gets a line for each."""
    title = f"conversation {preview(conversation['title'])}"
    messages = []
    for message in conversation["messages"]:
        if "pictures" in message:
            others = {name: value for name, value in message.items() if name != "pictures"}
            kept = list(_checked(message["pictures"], store, title, notes))
            message = {**others, "pictures": kept} if kept else others
        messages.append(message)
    return {**conversation, "messages": messages}


def to_form(name: str, data: bytes) -> Form:
    """A picture that a file brought, as it stands in our form."""
    return {"name": name, "data": b64encode(data).decode()}


def _checked(forms: Sequence[Form], store: Store, title: str, notes: list[str]) -> Iterator[Form]:
    for form in forms:
        try:
            yield _to_form(_taken(form, store), form.get("position", 0))
        except PictureError as error:
            notes.append(f"{title}: {error}")


def _taken(form: Form, store: Store) -> Picture:
    """A picture as it is kept. Raises PictureError."""
    try:
        data = b64decode(form["data"], validate=True)
    except (Base64Error, ValueError):
        raise PictureError(f"{form['name']} {NOT_BASE64}") from None
    try:
        return Picture(form["name"], *_described(store.picture(sha256(data).hexdigest())))
    except NotFoundError:
        return prepare(form["name"], data)


def _described(picture: Picture) -> tuple[str, int, int, bytes]:
    return picture.mime_type, picture.width, picture.height, picture.data


def _to_form(picture: Picture, position: int) -> Form:
    form = {"name": picture.name, "mime_type": picture.mime_type, "width": picture.width, "height": picture.height}
    return {**form, "data": picture.base64} | ({"position": position} if position else {})


def _of_form(form: Form) -> Picture:
    return Picture(form["name"], form["mime_type"], form["width"], form["height"], b64decode(form["data"]))
