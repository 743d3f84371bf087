"""The verbs of Consentry: all that the command line and the service may call."""
