"""What the names stand for, without torch: widths, normalised names and closed forms of the parameters."""
