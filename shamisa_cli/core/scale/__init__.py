"""More pictures than one machine: parts of a job, where they are kept, and Ray."""
