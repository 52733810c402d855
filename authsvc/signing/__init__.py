"""Keys and signatures: strict compact JWS in and out, the key ring, secrets sealed at rest.

Owns every byte of cryptography and is the only importer of PyJWT. Must not know claims, sessions, storage or the
wire: above this folder a token's payload is bytes, below it there is no policy.
"""
