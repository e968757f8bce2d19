"""Web pages for tools: which hosts and addresses may be asked, and a page loaded within limits."""
