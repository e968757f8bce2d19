"""Raw corpora in their real formats, written by the tests."""
