"""An owner's documents: read, kept, searched, deleted. Knows the store and `documents`; nothing of replies or pages."""

from conversations.library import files, reading, vectors
from conversations.library.reading import Reading

__all__ = [
    "Reading",
    "files",
    "reading",
    "vectors",
]
