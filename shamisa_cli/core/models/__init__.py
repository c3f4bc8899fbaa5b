"""Model folders on disk, the names they go by, and the Hub."""
