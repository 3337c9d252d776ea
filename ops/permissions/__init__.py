"""What the deploying, the reading and the operators' roles may do, as IAM policies."""
