"""Clean-up of lifted armatures and retargeted rigs: read the curves, change arrays, write them back."""
