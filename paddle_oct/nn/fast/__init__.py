"""What makes eager mode fast."""
