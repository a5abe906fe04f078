"""Encoding scenes that move: sequences of frames, what stays, what moves and how, segments."""
