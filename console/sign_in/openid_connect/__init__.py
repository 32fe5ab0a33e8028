"""Single sign-on with OpenID Connect: the identity provider, its claims, and the accounts of users who come from it."""
