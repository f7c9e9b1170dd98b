"""ZooKeeper behind a narrow, typed door. The only package that imports kazoo."""
