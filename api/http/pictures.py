"""Pictures that a request shows: as data in an address, or at an address of a host that is allowed. Knows no route."""

import asyncio
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from urllib.parse import unquote

from anyio import to_thread
from langchain_core.exceptions import ModelInvalidRequestError
from starlette.datastructures import UploadFile

import backends
from api.http.state import AppState
from documents.pictures.picture import Picture, PictureError
from documents.pictures.prepare import check_count, prepare
from tools import ToolError
from tools.web.page import Names, load_page

DATA, BASE64 = "data:", ";base64"
NAMES = Names("picture", "IMAGE_URLS", "PICTURES_MAX_BYTES", "image/png,image/jpeg,image/webp")
SECONDS = 20.0  # for one picture, redirects and all
SHOWN = 200  # characters of an address in a message

Pictures = Mapping[str, Picture]  # by the addresses that a request has for them


async def show_pictures(state: AppState, backend: str, addresses: Iterable[str]) -> dict[str, Picture]:
    """The pictures at these addresses for a backend's model, unpacked and packed anew, each once.

    Raises PictureError, and ModelInvalidRequestError where the model is known not to see.
    """
    found: dict[str, Picture] = {}
    for address in addresses:
        if not found and (problem := backends.vision_error(backend, state.settings)):
            raise ModelInvalidRequestError(problem)
        if address not in found:
            found[address] = await _fetch(state, address, f"picture {len(found) + 1}")
    return found


def read_pictures(state: AppState, backend: str, uploads: Sequence[UploadFile]) -> list[Picture]:
    """Uploaded pictures for a backend's model, unpacked and packed anew. Waits for a process.

    Raises PictureError, and ModelInvalidRequestError where the model is known not to see.
    """
    if not uploads:
        return []
    check_count(len(uploads), state.picture_limits)
    if problem := backends.vision_error(backend, state.settings):
        raise ModelInvalidRequestError(problem)
    return [prepare(each.filename or "picture", each.file.read(), state.picture_limits) for each in uploads]


async def _fetch(state: AppState, address: str, name: str) -> Picture:
    if address[: len(DATA)].lower() == DATA:
        data = _data(address, name)
    else:
        name, data = address[:SHOWN], await _load(state, address)
        name = address.partition("?")[0].rpartition("/")[2] or name
    return await to_thread.run_sync(partial(prepare, name, data, state.picture_limits), limiter=state.picture_readers)


def _data(address: str, name: str) -> bytes:
    """The bytes in an address of data."""
    head, comma, text = address.partition(",")
    if not comma or not head.lower().endswith(BASE64):
        raise PictureError(f"{name}: its address holds no data as base64. Write data:image/png;base64, and the data.")
    try:
        return b64decode("".join(unquote(text).split()), validate=True)
    except (Base64Error, ValueError):
        raise PictureError(f"{name}: what stands behind base64, is no base64. Encode the file's bytes anew.") from None


async def _load(state: AppState, address: str) -> bytes:
    """The bytes at an address. Raises PictureError where that is not allowed, or they cannot be had."""
    hosts = state.api.image_hosts
    if not hosts:
        raise PictureError(
            f"{address[:SHOWN]}: pictures are not fetched from addresses here (IMAGE_URLS names no host). Send the "
            "picture itself: data:image/png;base64, and its bytes."
        )
    try:
        async with asyncio.timeout(SECONDS):
            page = await load_page(address, hosts, state.picture_limits.max_bytes, SECONDS, NAMES)
    except ToolError as error:
        raise PictureError(str(error)) from None
    except TimeoutError:
        raise PictureError(f"{address[:SHOWN]}: the picture did not come within {SECONDS:g} seconds.") from None
    return page.content
