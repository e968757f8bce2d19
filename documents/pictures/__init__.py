"""Pictures for models that see: checked, turned, scaled, and free of all that stood beside them. Knows no message."""
