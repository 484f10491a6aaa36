# A Vault server as production has it: its own storage on disk, TLS, no development mode.
ui = false
# The data of integrated storage is memory-mapped; HashiCorp's documentation says to leave mlock off with it, and swap as well.
disable_mlock = true
api_addr = "https://vault:8200"
cluster_addr = "https://vault:8201"

storage "raft" {
  path = "/vault/file"
  node_id = "vault"
}

listener "tcp" {
  address = "0.0.0.0:8200"
  tls_cert_file = "/run/secrets/vault-tls-cert"
  tls_key_file = "/run/secrets/vault-tls-key"
  tls_min_version = "tls12"
}
