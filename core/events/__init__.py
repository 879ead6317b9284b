"""What happens in a clinic, told to whoever wants to know: ids and kinds, written down in the transaction of the change."""
