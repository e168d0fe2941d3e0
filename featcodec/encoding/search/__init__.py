"""Which transform and model code a group in the fewest bits at the wanted error."""
