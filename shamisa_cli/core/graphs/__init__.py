"""Relations between the crops of a batch, as sparse graphs."""
