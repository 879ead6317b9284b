"""Who works on jobs: processes that say again and again that they live, and who reads it."""
