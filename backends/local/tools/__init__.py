"""Tools that a model of this process may call: offered in its prompt, written in its own form, read and held to it."""
