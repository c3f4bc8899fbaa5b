"""Acting on scores: groups of similar images, what to keep, XMP sidecars, moving and copying with a journal."""
