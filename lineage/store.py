"""The folder (or object-store prefix) that holds runs: written by a `RunWriter`, read as `StoredRun`s."""
