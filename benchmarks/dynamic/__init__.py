"""Dynamic scenes: sequences made from real ones, coded by us and frame by frame by others."""
