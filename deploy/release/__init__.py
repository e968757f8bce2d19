"""What is looked at before a release is tagged: `python -m deploy.release`. One file is one thing looked at."""
