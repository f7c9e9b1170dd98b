"""Claims: the requests that our provider has taken, for nobody else to make nodes for."""
