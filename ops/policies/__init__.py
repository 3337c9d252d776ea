"""Rules over the resource graph: the HIPAA conformance pack's that apply, and the house's own."""
