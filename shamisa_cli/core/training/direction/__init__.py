"""Fit of the direction: versions of photographs whose order is known, their pairs, and the odd network."""
