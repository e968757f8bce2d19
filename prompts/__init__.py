"""System prompt, personas and chat templates: text files, and the one loader that reads them. Imports nothing of ours."""
