"""The whole of Consentry at work, against plain Python, crashes, races and tampering."""
