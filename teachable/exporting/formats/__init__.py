"""One file for each format a model can be taken away in; each has an `EXPORTER`."""
