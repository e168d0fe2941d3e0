"""Files that are written as features are made: what is coded when, and what an interruption leaves.

`growth` codes what is added and keeps a journal, `recovery` makes a file of the journal, `writer`
has the class that users see.
"""
