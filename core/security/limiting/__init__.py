"""How much may be asked in a time (docs/operators.md, "Rate limits"): who asks is counted, a route says of which class it is."""
