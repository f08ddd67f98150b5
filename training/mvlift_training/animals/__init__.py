"""Animals of our own making: four-legged walkers with procedural gaits, as 2D training data that anybody may use."""
