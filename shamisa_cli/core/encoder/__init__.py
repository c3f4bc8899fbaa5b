"""Encoders: what they read, and how they run without PyTorch."""
