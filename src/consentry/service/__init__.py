"""The web service: the verbs of the control plane over HTTP, for training jobs on this machine or network."""
