"""Training the model, and scoring a classifier on conversations whose significance is known."""
