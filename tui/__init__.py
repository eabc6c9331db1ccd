"""Room for the terminal app: a reader of the store, and where a session lives, its controller."""
