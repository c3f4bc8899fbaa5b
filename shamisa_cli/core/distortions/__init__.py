"""The compositional distortion engine: 26 operators in seven groups with continuous severities."""
