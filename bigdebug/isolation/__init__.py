"""Isolation: the few input records behind a wrong output row, found and proven by running the pipeline again."""
