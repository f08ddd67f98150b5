"""Files of other programs: out, with what each expects, and in."""
