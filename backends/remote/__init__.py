"""What stands behind the backends that ask a server. A folder, so that it is no backend itself."""
