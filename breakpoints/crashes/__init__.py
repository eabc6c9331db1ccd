"""Records that crash a function: which they are, and what becomes of them."""
