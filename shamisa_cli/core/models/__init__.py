"""Model folders on disk, their names, and the Hub."""
