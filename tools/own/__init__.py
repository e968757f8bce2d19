"""The app's own tools: one file is one tool, and its name is the tool's. Knows no tool by name.

A tool's file has `TITLE`, `DESCRIPTION`, `NEEDS_APPROVAL`, `Arguments` (a pydantic model), `build(settings, context)`,
which gives what is called with them and answers with text, and where it applies `availability_error(settings)`.
"""
