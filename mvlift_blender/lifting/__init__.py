"""From the panel's settings to lifted people in the scene, and parts of them lifted again."""
