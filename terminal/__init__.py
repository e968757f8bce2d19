"""The conversation in a terminal: `python cli.py chat`."""
