"""The relational task: networks that compare two images."""
