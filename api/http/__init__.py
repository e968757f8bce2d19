"""What every route shares: state, keys, limits, errors, logs. Knows no family of clients."""
