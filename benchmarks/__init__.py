"""`make bench`: training and generation side by side with the libraries a user would pick otherwise."""
