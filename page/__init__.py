"""What app.py draws, one concern per file. Knows Streamlit; nothing of how a reply is made."""
