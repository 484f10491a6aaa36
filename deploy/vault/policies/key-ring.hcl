# LOCKSTEP_KEY_RING=vault-transit. Mount and key as in LOCKSTEP_VAULT_TRANSIT_MOUNT and _KEY.
# No "create" at encrypt: with it a wrong name would make a new key silently. Rotating and configuring the key is the
# operator's.
path "transit/encrypt/lockstep" { capabilities = ["update"] }
path "transit/decrypt/lockstep" { capabilities = ["update"] }
# What doctor says of the key: which versions may still be decrypted, whether somebody could delete or export it.
path "transit/keys/lockstep" { capabilities = ["read"] }
