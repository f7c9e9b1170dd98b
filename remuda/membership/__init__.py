"""Who is there: replicas without a leader, how they are seen, and whose installation this is."""
