"""What runs on the trainer's machine; never imports the server side."""
