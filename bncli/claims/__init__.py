"""Published claims about batch normalization: what they say, how they are measured, and the verdicts on them."""
