"""`/predict` and `/reset`: a text in, a reply out, and a session. Knows what routes share; no other family."""
