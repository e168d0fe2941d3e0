"""What both ends need: a group header, or the head of a message, to the coder of its row groups.

Which module? `from_header` builds the coders of files, `message_entry` those of messages; nothing
else does. A `model` is what a header or a `profile` holds of a token grid. A coder of `parts` codes
one token grid with it, and `picture` what a network codes. A `row_group` joins them with alignment
and `exceptions`, and decodes to `pieces`. `message_head` has the fields of a message; `kept` is a
cache.
"""
