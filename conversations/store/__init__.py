"""The store of conversations: tables, and what asks them, for one owner at a time. Knows no model and no page."""
