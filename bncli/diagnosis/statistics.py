"""What batch normalizations can normalize with; see docs/glossary.md."""

BATCH, MOVING, POPULATION = "batch", "moving", "population"
STATISTICS = (BATCH, MOVING, POPULATION)
