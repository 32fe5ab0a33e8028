"""Sign-in: limits on failed attempts, second factors, sessions and the pages for them. django-allauth does the rest."""
