"""Single sign-on with OpenID Connect: the claims of the identity provider, and the rules of teams that use them."""
