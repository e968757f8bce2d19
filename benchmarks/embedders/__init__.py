"""Which embedder finds the right passage how often, and how fast: over texts of ten kinds."""
