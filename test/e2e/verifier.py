"""Checks tokens with PyJWT as a resource server does: each line of standard
input is a token, each line of the answer is ok or the reason why not. The key
set is kept for a moment only; unknown keys make it ask no sooner than usual."""

import sys

import jwt

keys = jwt.PyJWKClient(sys.argv[1], lifespan=0.3)
for token in sys.stdin:
    token = token.strip()
    try:
        jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"])
        print("ok", flush=True)
    except Exception as e:  # whatever it is, the test says it
        print(type(e).__name__, e, flush=True)
