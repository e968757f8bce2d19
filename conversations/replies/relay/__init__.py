"""Replies relayed between the processes of one PostgreSQL database, piece by piece as they grow. Knows no chain."""
