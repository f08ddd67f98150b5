"""Text, redraws and error reports that panels and operators share."""
