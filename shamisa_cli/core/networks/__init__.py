"""What is learned, and what is made of it."""
