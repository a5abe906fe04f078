"""(5.3, 5.4) Positions: octrees by importance, merged into the order that everything else follows."""
