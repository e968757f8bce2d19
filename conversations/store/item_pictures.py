"""The pictures of kept responses' items: each once for its owner, named in its item by what its bytes hash to.

Knows where an item holds pictures, and the tables; nothing else of a response. What an older version kept with the
picture in the item itself stays readable.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from conversations.store.picture_tables import ItemPicture, StoredPicture
from conversations.store.pictures import keep
from documents.pictures.picture import Picture

PLACES = {"message": "content", "function_call_output": "output"}  # the kinds of items, and where their parts are
TYPE, ADDRESS = "input_image", "image_url"  # of a part that is a picture
HASHED = "sha256:"  # what stands before the hash, in the place of the picture's address

Value = dict[str, Any]


def take_out(value: Value) -> tuple[Value, list[Picture]]:
    """An item as it is kept, and the pictures that it names."""
    found: dict[str, Picture] = {}

    def named(address: str) -> str:
        if address.startswith(HASHED):
            return address
        picture = Picture.from_data_url("picture", address)
        found[picture.digest] = picture
        return f"{HASHED}{picture.digest}"

    return _with_addresses(value, named), list(found.values())


def attach(session: Session, owner: str, number: int, pictures: Sequence[Picture]) -> None:
    """Keep the pictures of a new item."""
    for picture in pictures:
        keep(session, owner, picture)
        session.execute(insert(ItemPicture).values(number=number, owner=owner, digest=picture.digest))


def put_in(session: Session, rows: Mapping[int, Value]) -> list[Value]:
    """Items as their clients know them, by the numbers of their rows; a picture that several have is read once."""
    named = [number for number, value in rows.items() if _names_pictures(value)]
    if not named:
        return list(rows.values())
    having = select(ItemPicture.owner, ItemPicture.digest).where(ItemPicture.number.in_(named))
    shown = tuple_(StoredPicture.owner, StoredPicture.digest).in_(having)
    found = session.execute(select(StoredPicture.digest, StoredPicture.mime_type, StoredPicture.data).where(shown))
    addresses = {f"{HASHED}{digest}": Picture("", mime_type, 0, 0, data).data_url for digest, mime_type, data in found}
    return [_with_addresses(value, lambda address: addresses.get(address, address)) for value in rows.values()]


def _names_pictures(value: Value) -> bool:
    return any(part[ADDRESS].startswith(HASHED) for part in _pictures(value))


def _pictures(value: Value) -> list[Value]:
    parts = value.get(PLACES.get(value.get("type", ""), ""))
    return [part for part in parts if part.get("type") == TYPE] if isinstance(parts, list) else []


def _with_addresses(value: Value, change: Callable[[str], str]) -> Value:
    """The item, its pictures at other addresses."""
    if not _pictures(value):
        return value
    place = PLACES[value["type"]]
    return {**value, place: [_with_address(part, change) for part in value[place]]}


def _with_address(part: Value, change: Callable[[str], str]) -> Value:
    return {**part, ADDRESS: change(part[ADDRESS])} if part.get("type") == TYPE else part
