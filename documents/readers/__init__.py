"""One file for each kind: `read(path, limits)` yields its parts. Knows formats; nothing of who asks.

A reader imports what it needs inside, so that the process which reads a text waits for no PDF library.
"""
