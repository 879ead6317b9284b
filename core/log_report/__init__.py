"""What a pile of log lines says: errors, routes, clinics, hours. Lines are read one by one; what is kept of them is bounded."""
