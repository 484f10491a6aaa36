# LOCKSTEP_VALUE_STORE=vault. Mount and prefix as in LOCKSTEP_VAULT_KV_MOUNT and _KV_PREFIX.
# "create" without "update": no value can be written over another.
path "secret/data/lockstep/*" { capabilities = ["create", "read"] }
path "secret/metadata/lockstep/*" { capabilities = ["read", "list", "delete"] }
path "secret/destroy/lockstep/*" { capabilities = ["update"] }
