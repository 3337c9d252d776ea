"""What operators' tools ask of AWS's APIs, or of the lab's."""
