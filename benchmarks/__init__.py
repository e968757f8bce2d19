"""Speed and cost, each measured against a plain way to do the same, in one run on one machine."""

import os

# As training.train has it: two spinning thread pools wait for each other. Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
