"""What HMS watches of itself: figures of each minute kept in the database, rules about them, and alerts that people are told."""
