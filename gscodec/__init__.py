"""gscodec."""
