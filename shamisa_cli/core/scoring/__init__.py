"""From files to scores: the pipeline, caches, the gate, and tables of features and scores."""
