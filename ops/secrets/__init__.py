"""The database's users and their secrets, changed by command."""
