"""The pages: one module for each kind of reader. They call verbs and hand what these return to a template."""
