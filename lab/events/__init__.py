"""EventBridge's delivery: targets in both regions, roles and policies, retries and dead letters,
and schedules on the lab's clock."""
