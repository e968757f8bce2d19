"""The chain, and what is built from it. Nothing reaches a model except through here."""
