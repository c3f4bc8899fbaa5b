"""Which of two images is the better one: statistics of both, and a small odd network."""
