"""Projects over HTTP: folders of sessions, with what holds in each of them."""
