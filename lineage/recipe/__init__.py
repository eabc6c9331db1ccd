"""Recipes: what is needed to compute an output again, in another process, another day."""
