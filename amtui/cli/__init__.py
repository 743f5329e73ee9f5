"""The command line: a front end generated from the table of operations.

Data goes to stdout through `output`, everything else to stderr through `diagnostics`. Importing this package and
asking for help loads neither the operations' code nor anything that they need.
"""
