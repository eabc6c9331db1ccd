"""Whether what an index of an RDD holds was noted while the job ran."""

from bigdebug.lineage.rdd.index.reading import RddIndex


def was_tapped(index: RddIndex) -> bool:
    """Whether it was made without a second pass."""
    files = [
        file
        for relation in index._manifest.relations
        for file in relation.files
        if not file.endswith("output/0.relation")  # a value, which the driver writes
    ]
    return bool(files) and all(file.startswith("tap-") for file in files)
