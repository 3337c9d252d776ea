"""What the four programs share: settings, naming, regions, contracts."""
