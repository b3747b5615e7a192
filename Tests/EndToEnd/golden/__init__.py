"""Golden replies: what the server answers to streams of all kinds, pinned by hashes.

streams.py makes the streams, record.py feeds them and writes replies.json, and test_golden_replies.py compares.
"""
