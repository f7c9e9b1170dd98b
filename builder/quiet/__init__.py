"""Makes a build machine quiet before its snapshot, and proves on machine and clone that it is."""
