"""The API as Anthropic's clients know it: `/v1/messages`. Knows no other family of clients."""
