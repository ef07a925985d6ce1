"""YAML that people write, into settings blocks: every mistake told, with file, line and column.

problems.py is what a mistake is, positions.py reads the text, schema.py checks
the values. Which options there are, each program's own blocks say.
"""
