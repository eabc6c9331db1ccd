"""RDD programs: recording them, recipes of their outputs, and traces back to the records of their sources."""
