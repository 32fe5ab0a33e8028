"""The shapes of the areas' pages: a list, the pages of one object, an action, tags. docs/pages.md explains them."""
