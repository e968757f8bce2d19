"""Speed and cost, each measured against a plain way to do the same, in one run on one machine."""

import os

# As backends has it, for all that computes in a process of ours: threads that spin on wait for each other, those that
# sleep at once are slow. Read when torch or llama.cpp load. What somebody set himself holds for everybody.
OURS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
MARK = "BENCHMARKS_SET"  # names of those that we set, for child processes that start another program
os.environ.setdefault(MARK, ",".join(name for name in OURS if name not in os.environ))
for name in OURS:
    os.environ.setdefault(name, OURS[name])
