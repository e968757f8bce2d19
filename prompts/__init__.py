"""System prompt, personas and chat templates: text files, and what reads them. Imports nothing of ours."""
