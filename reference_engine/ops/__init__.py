"""The table of ops, one file a chapter. Importing a chapter fills the table and puts methods on Tensor."""
