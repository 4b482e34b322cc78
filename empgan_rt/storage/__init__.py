"""Files and folders that are whole at every moment."""
