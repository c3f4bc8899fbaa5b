"""Remarks of a photographer: exposure, contrast, colour, blur and its kind, noise, compression."""
