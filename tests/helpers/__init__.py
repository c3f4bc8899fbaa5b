"""What several tests use: the program, a Hub, a browser, pictures, runs."""
