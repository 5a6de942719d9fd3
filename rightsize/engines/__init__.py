"""What local engines tell of their models: a file for each engine, and facts.py for what they have in common."""
