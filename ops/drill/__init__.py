"""The drill: an outage on purpose, measured and judged from the clients' side."""
