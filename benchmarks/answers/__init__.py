"""How well small models answer, judged by rules that stand in files: openings, facts, questions about texts, personas.

`python -m benchmarks.answers` makes the table. The data lie beside the code: what is asked, and what counts.
"""
