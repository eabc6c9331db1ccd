"""Simulated breakpoints: a look at what flows through a point of the dataflow, while the job goes on."""
