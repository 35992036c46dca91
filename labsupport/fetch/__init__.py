"""What comes from elsewhere: the embedded model, the model hub, texts, and the cache that keeps them."""
