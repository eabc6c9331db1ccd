"""Isolation in outputs of RDDs: the program's own functions run on lists of candidates, in the driver's process."""
