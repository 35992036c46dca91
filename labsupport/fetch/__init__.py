"""Downloads: the embedded model, the model hub, texts, and the cache that stores them."""
