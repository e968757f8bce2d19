"""Pictures that a command is given, for a model that sees: checked, and made a message. Knows paths and models.

What unpacks pictures is imported when a command has one: the others start without it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import backends
from settings import SettingsError
from terminal import file
from terminal.target import Target

if TYPE_CHECKING:
    from langchain_core.messages import HumanMessage

    from documents.pictures.picture import Picture

AS_FILE = "Name a model that sees with --backend, or give the picture as --file to have the text in it read."


def vision_error(target: Target) -> str | None:
    """Why who answers cannot see pictures; None where he can, or nobody knows."""
    return backends.vision_error(target.backend, target.settings, target.model)


def prepare_files(paths: Sequence[Path], target: Target) -> list["Picture"]:
    """The pictures in these files. Raises SettingsError, also where who answers cannot see."""
    from documents.pictures.attached import prepare_all
    from documents.settings import DocumentSettings

    if vision_error(target) is not None:
        raise SettingsError(f"--image {paths[0]}: {target.label} cannot see pictures. {AS_FILE}")
    limits = DocumentSettings.read()
    pictures, problems = prepare_all([(path.name, file.read_file(path, limits)) for path in paths])
    if problems:
        raise SettingsError("\n".join(problems))
    return list(pictures)


def question(text: str, pictures: Sequence["Picture"]) -> "HumanMessage":
    """A message as a model is shown it: pictures, then words."""
    from langchain_core.messages import HumanMessage

    blocks = [backends.vision.to_block(each.mime_type, each.base64) for each in pictures]
    return HumanMessage([*blocks, {"type": "text", "text": text}] if text else [*blocks])
