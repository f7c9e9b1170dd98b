"""Looking without touching: what ZooKeeper says of nodes, requests and providers, for people."""
