"""Ollama's API, for the programs that speak nothing else."""
