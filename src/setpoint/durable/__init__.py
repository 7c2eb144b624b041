"""What is written so that it survives: files replaced as a whole, and records with a format and a checksum.

Every change that the package makes to a file system goes through ``files`` – one seam, which tests make fail at each call.
"""
