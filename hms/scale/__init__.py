"""Many clinics with millions of patients and visits in a database of their own, and the measuring of HMS on it."""
