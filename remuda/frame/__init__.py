"""The frame of every process of ours: start and end, turns, alarms, lanes and worker threads."""
