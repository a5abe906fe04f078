"""(5.2, 5.3) Positions: octrees by importance, merged into the order that everything else follows."""
