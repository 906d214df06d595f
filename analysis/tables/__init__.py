"""Tables of a study, each in Markdown, LaTeX and CSV."""
