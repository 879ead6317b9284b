"""How HMS is: small checks with a name, a time limit and a weight, asked in parallel and answered at several addresses."""
