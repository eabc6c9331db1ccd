"""Reads Spark's event logs, of any application, and says what made it slow and what to do about it."""
