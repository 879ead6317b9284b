"""What HMS tells its own people, on its pages and in the API: the bell."""
