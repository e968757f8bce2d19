"""A message whose pictures no model has seen, kept until a person says what is to be done. Knows nothing of a model."""

from dataclasses import dataclass, field

from documents.pictures.attached import NamedFile, split
from documents.pictures.picture import Picture


@dataclass(frozen=True)
class Unseen:
    """A message with `files`, of which its model cannot see the `pictures`."""

    text: str
    files: tuple[NamedFile, ...] = field(repr=False)
    pictures: tuple[Picture, ...] = field(repr=False)

    @property
    def others(self) -> tuple[NamedFile, ...]:
        """The files that are no pictures."""
        return split(self.files)[1]
