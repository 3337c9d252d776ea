"""What operators run: engines, sequencing, outputs, status, inventory."""
