"""Record lineage: the dataflow graph, recipes, the store, instrumented plans and traces."""
