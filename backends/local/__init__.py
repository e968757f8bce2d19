"""What the two backends that compute in this process share. A folder, so that it is no backend itself."""
