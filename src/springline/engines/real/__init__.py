"""What engines of real workers have in common, whether these are processes or actors."""
