"""(3) The entropy coder: rANS lanes, frequency tables, context maps, streams."""
