"""What tools generate; tests hold it against its sources."""
