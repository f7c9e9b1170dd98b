"""What a builder shows of itself in ZooKeeper."""
