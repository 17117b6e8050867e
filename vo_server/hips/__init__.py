"""Maps of the counts of a collection as HiPS (HiPS 1.0): made ahead, served as files."""
