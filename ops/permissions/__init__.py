"""What the deploying and the reading role may do, as IAM policies."""
