"""CloudWatch on a laptop: metrics from what really happens, and alarms that are evaluated."""
