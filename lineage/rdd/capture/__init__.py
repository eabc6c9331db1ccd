"""Capture while the job runs: taps in the program's own chains of functions note what each element was made of."""
