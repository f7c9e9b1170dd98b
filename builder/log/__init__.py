"""The logs of builds: masked, in ZooKeeper for all to follow, and whole in a file."""
