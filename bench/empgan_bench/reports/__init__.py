"""What every report is made of: files, tables, page elements, figures and the way a run ends."""
