"""The interface for programs: one module for each noun. Each calls verbs and answers with a model of its own."""
