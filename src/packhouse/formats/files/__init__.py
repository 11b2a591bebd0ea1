"""Files that no package index knows: notebooks, environments, projects and general artifacts."""
