"""From files to scores: records, the pipeline, tables of features, and the two functions of the Python API."""
