"""Words in pictures: recognised, put in the order of reading, and marked there. Knows pictures; no kind of file."""
