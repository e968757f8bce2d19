"""An owner's documents: read, kept, searched, deleted. Knows the store and `documents`; nothing of replies or pages."""
