"""Speed of the entropy coder alone (`entropy`), and of decoding in memory (`decode`)."""
