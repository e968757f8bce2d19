"""Conversations that last, and the replies being written in them. Knows the chain and the tables; no page."""
