"""Work divided into parts, on one machine, several or a Ray cluster."""
