"""What a month costs, from what the programs declare."""
