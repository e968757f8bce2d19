"""What stands inside Office files: archive, parts, stories, sheets. Knows the formats; nothing of passages."""
