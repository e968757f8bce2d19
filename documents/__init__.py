"""Documents: load, split, search. The one room that knows langchain-community; nothing of owners, tables or models."""
