"""The page of `lettermill template edit`: the fields of a form, drawn, named and tried in a browser."""
