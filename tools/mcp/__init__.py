"""The MCP servers of `mcp.json`: connected, watched and asked, in a loop of their own. Knows the `mcp` package."""
