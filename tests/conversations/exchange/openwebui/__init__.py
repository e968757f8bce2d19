"""Tests of what Open WebUI exports, part by part."""
