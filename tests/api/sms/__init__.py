"""Tests of the text messages."""
