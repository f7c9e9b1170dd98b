"""What answers behind a server's address: namespace, plain or none."""
