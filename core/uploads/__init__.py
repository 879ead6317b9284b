"""Files that people bring: what is let in, how it is kept, how it goes out again."""
