"""Training data for people with objects: free motion, lifted by our own model, with boxes of our own making."""
