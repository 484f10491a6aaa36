# A target of kind `vault` with `mount: secret` and `path: apps/api`. `lockstep target test` prints what one of yours needs.
# Vault before 1.9 and its forks know no word "patch"; it is not needed.
path "secret/data/apps/api" { capabilities = ["create", "read", "update"] }
# "update" of the metadata sets the label alone: with `label: false` it is not needed.
path "secret/metadata/apps/api" { capabilities = ["read", "update"] }
