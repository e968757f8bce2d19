"""What a model thinks before it answers, told apart from the answer. Knows texts; no model, no server and no page."""
