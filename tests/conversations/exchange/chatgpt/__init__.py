"""Tests of what ChatGPT exports, part by part."""
