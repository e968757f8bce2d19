"""Replies: from a message to the words of its answer, watched and stopped. Knows the chain and the store; no page."""
