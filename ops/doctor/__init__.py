"""What would stand in the way of a deployment, each with its remedy."""
