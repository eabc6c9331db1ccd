"""Slow and lopsided: the keys behind skewed shuffles and the records behind slow functions."""
