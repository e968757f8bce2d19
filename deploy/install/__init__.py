"""What `make run` and `make install` do: packages, and llama.cpp by a wheel or compiled.

Plain Python that imports nothing of ours: no package is there yet.
"""
