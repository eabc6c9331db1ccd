"""How a live session is talked to: by Spark's Python workers, and by a second terminal.

Workers and driver talk over one TCP connection a worker process (`exchange`, the driver's end; `link`, the worker's;
`wire`, the bytes). It opens with the first live feature in use and closes with the last. Both ends prove that they
know a key that is drawn anew for each run; each message carries a code made with it. Workers send data, never code;
only the driver sends code. Whatever fails, a task goes on with what it knows: each wait has a limit.

A second terminal talks over a socket in the run's folder that only the run's owner can open (`control`).

`link`, `wire` and `values` travel by value to the workers, which need nothing but Python's standard library for them.
"""
