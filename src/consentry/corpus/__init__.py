"""What is there: content files, the people in them, and what is known of both."""
