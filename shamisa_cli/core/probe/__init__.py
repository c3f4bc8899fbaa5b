"""Linear probes from features to human scores, and measures of their agreement."""
