"""What can go wrong with a document, in words for people. Knows neither files nor models."""


class DocumentError(ValueError):
    """A file that cannot be read; the text names it, says why, and what to do."""


class EmbeddingError(DocumentError):
    """No vectors could be made; the text says by whom, why, and what to do. It holds no key and no text."""
