"""Arithmetic for the calculator: an expression read by a parser of its own, never by Python, and worked out exactly."""
