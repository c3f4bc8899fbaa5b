"""A look at an image's own pixels: focus, noise and compression at 100 %, which a small view does not show."""
