"""Work that is done later or elsewhere: a ledger in the database, and workers that take from it."""
