"""Statistics, tables, and the evidence that every output reads."""
