"""The self-supervised task: an encoder from photographs alone."""
