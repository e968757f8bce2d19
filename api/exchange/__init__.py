"""Conversations out of the server over HTTP: as files, and as links that others read. Knows no format."""
