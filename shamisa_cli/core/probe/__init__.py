"""Linear probes: from features to human scores, and how well they agree."""
