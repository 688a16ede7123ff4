"""Commands that build, train and check the project; not part of the package."""
