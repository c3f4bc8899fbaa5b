"""Reports of `evaluate`: how well scores agree with human ones, one module for each of its modes."""
