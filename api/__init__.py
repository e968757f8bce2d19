"""The HTTP API: `uvicorn api:app --port 5000` serves it alone, `server.py` beside the page."""

from api.application import app

__all__ = ["app"]
