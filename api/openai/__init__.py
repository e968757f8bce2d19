"""OpenAI's routes as its clients call them: models, chat, completions and responses, one file for each."""
