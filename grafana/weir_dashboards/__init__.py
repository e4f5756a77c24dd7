"""The tables of panels from which generate.py makes Weir's dashboards."""
