"""How metrics are written down: what a family is, and from values to the text of a page.

It knows no metric; which ones there are is said by exposition/families.py and
remediation/families.py, and all of them together by catalogue.py.
"""
