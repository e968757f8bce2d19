"""Replies told between the processes of one PostgreSQL database, word by word as they grow. Knows no chain."""
