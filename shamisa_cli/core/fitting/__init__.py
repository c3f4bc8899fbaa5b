"""Fitting probes to human scores or to the engine's distortions, and judging models by human scores."""
