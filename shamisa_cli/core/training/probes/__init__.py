"""Probes that learn from photographs degraded by the engine."""
