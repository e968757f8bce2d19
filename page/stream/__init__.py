"""What tabs are told without a run of the script: replies as they grow, and news of conversations, in one stream."""

from page.stream.route import routes

__all__ = ["routes"]
