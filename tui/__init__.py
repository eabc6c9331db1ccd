"""Room for the terminal app, a reader of the store."""
