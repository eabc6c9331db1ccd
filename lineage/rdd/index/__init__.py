"""The whole lineage of an RDD's output, written down: by a second pass, or by taps while the job runs."""
