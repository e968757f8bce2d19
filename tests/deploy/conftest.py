"""A real browser here, too."""

from tests.page.conftest import chromium, profile, tab

__all__ = ["chromium", "profile", "tab"]
