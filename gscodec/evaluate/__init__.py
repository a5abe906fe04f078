"""Looking at splats: cameras, a renderer on the processor, and measures of what a viewer sees."""
