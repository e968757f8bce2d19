"""A real browser here, too."""

from tests.page.conftest import chromium, tab

__all__ = ["chromium", "tab"]
