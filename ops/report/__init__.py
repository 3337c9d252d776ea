"""What was recorded, shown and checked: it reads evidence and never runs a drill."""
