"""What people see of automatic recovery, and what they may order."""
