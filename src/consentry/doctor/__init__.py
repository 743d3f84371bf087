"""What `consentry doctor` says: what is here, what is missing for what, and how to get it.

It only looks. It makes no folder, no key and no ledger, and it never raises: what it cannot find out is a finding too.
"""
