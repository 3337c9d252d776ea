"""What moves a layer: one interface, and the two engines behind it."""
