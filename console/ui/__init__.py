"""What all pages share: the shell around them, components, tables, forms, template tags."""
