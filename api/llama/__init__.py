"""The routes of llama-server that OpenAI's API has no like of: tokens, the template, what the server is."""
