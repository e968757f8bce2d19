"""The life of the small model: prepare, train, export. It meets serving only in the saved model folder."""
