"""`remuda demo`: the whole product at work on this machine, narrated."""
