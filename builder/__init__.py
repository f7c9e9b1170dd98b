"""Makes images: builds them on machines, proves them, and swaps them in."""
