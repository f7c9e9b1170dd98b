"""The nouns: values read from and written to ZooKeeper, with their codecs and state tables."""
