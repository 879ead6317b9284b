"""Keys of each clinic's own, wrapped by the deployment's: what they encrypt can be renewed clinic by clinic, while people work."""
