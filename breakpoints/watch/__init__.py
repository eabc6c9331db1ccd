"""Guarded watchpoints: records that satisfy a condition, caught as the user's own job runs.

A guard in SQL is counted by Spark itself inside the job (`frames`); a function in Python stands in the program's own
chain of functions (`rdds`), or beside the rows of a frame (`frames`). `catching` and `totals` travel by value to
Spark's Python workers.
"""
