"""Conversations and the replies being written in them. They live as long as this process."""
