"""Single sign-on by OpenID Connect: what the identity provider says of a person, and what the teams' rules make of it."""
