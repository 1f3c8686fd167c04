"""A gradient that somebody wrote: how it is called and read, and what is wrong with it."""
