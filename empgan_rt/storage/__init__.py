"""Files and folders that are whole at every moment; no link is followed below a folder."""
