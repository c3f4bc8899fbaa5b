"""Training of both kinds of model."""
