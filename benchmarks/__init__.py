"""Rate, distortion and speed of the codec. Run from the root of the repository."""
