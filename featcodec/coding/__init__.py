"""What both ends need: a group header or a message head to the coder of its row groups.

`from_header` builds coders, and nothing else does. A `model` is what a header or a `profile` holds
of a token grid; a coder of `parts` codes one token grid with it; a `row_group` joins the parts with
alignment and exceptions.
"""
