"""The commands, a function each; they return what they found and leave printing to the command line."""
