"""A picture in a message as OpenAI's clients send it, and as items of responses keep it. Knows no route.

Only a user and the result of a tool show some: elsewhere they are refused by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.http.pictures import Pictures
from backends import vision
from documents.pictures.picture import Picture
from documents.pictures.prepare import check_count
from documents.pictures.settings import PictureSettings

TYPES = ("image_url", "input_image")
DETAILS = ("auto", "low", "high", "original")
WHERE = "the picture itself, as data:image/png;base64,…, or its address, where IMAGE_URLS allows that"
MISPLACED = "A picture ({kind}) is read in a user's message and in a tool's result alone."


class ImageAddress(BaseModel):
    """Where the picture is; how closely a model looks at it is the model's own, and `detail` does nothing."""

    model_config = ConfigDict(extra="ignore", strict=True)

    url: str = Field(min_length=1, description=WHERE)


class ImagePart(BaseModel):
    """A picture, in the form of chat completions."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: Literal["image_url"]
    image_url: ImageAddress | str

    @property
    def address(self) -> str:
        """Where it is."""
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url


class InputImagePart(BaseModel):
    """A picture, in the form of responses."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: Literal["input_image"]
    image_url: ImageAddress | str = Field(description=WHERE)
    detail: Any = Field(None, description="how closely a model is to look: told again, and without effect")

    @property
    def address(self) -> str:
        """Where it is."""
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url


PicturePart = ImagePart | InputImagePart


def picture_parts(content: Any) -> list[PicturePart]:
    """Those of a message's parts that are pictures."""
    return [part for part in content if isinstance(part, PicturePart)] if isinstance(content, list) else []


def check_place(role: str, content: Any) -> None:
    """Check who shows the pictures of a prompt. Raises PydanticCustomError where it is no user."""
    if role != "user" and (found := picture_parts(content)):
        raise PydanticCustomError("unsupported_parameter", "{text}", {"text": MISPLACED.format(kind=found[0].type)})


def addresses(contents: Sequence[Any]) -> Iterator[str]:
    """Where the pictures of all messages are. Raises PictureError for a message with too many."""
    limits = PictureSettings.read() if any(map(picture_parts, contents)) else None
    for content in contents:
        parts = picture_parts(content)
        if limits is not None:
            check_count(len(parts), limits)
        yield from (part.address for part in parts)


def to_block(part: PicturePart, pictures: Pictures) -> dict[str, Any]:
    """A picture for the chain."""
    found = pictures[part.address]
    return vision.to_block(found.mime_type, found.base64)


def to_item_part(part: PicturePart, pictures: Pictures) -> dict[str, Any]:
    """A picture as an item is kept with it: as data, whatever address it came from."""
    detail = part.detail if isinstance(part, InputImagePart) and part.detail in DETAILS else DETAILS[0]
    return {"type": "input_image", "detail": detail, "image_url": pictures[part.address].data_url}


def from_item_part(part: Mapping[str, Any]) -> dict[str, Any]:
    """A kept picture for the chain."""
    head, _, base64 = str(part["image_url"]).partition(";base64,")
    return vision.to_block(head.removeprefix("data:"), base64)


def to_picture(block: Mapping[str, Any], name: str = "picture") -> Picture:
    """A picture of the chain as conversations keep it."""
    width, height = vision.size(block) or (0, 0)
    return Picture(name, block["mime_type"], width, height, vision.data(block))
