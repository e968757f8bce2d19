"""MCP for other programs: the app's own tools over HTTP, behind the keys and limits of the rest of the API."""
