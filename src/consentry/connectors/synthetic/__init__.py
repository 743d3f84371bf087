"""A made-up professional network: nobody in it exists."""
