"""Ways to take a model away: every format in a file of its own below `formats`, behind one small interface.

`exporter` says what a format has to do, `bundle` writes the archives, `checking` runs what was written. When and for
whom something is exported is the business of `teachable.exports`.
"""
