"""Retargeting of lifted motions to the user's rigs."""
