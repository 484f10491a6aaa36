/**
 * How the embedded Postgres is set: small, durable, silent about data. Given on the command line at every start, so
 * that a new release of Lockstep brings its own.
 */

/** Names the socket's file only: nothing listens on the network. */
export const SOCKET_PORT = 5432;

const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "",
  port: String(SOCKET_PORT),
  unix_socket_permissions: "0700",
  // Durability is what a store of secrets is for: none of these three is ever turned off.
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  // Small: a store of thousands of rows, beside Node in a small container.
  max_connections: "100",
  shared_buffers: "24MB",
  work_mem: "2MB",
  maintenance_work_mem: "16MB",
  wal_buffers: "1MB",
  max_wal_size: "128MB",
  min_wal_size: "32MB",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_parallel_workers: "0",
  max_logical_replication_workers: "0",
  autovacuum_max_workers: "1",
  autovacuum_worker_slots: "1",
  // The default keeps three more processes for reading ahead.
  io_method: "sync",
  jit: "off",
  huge_pages: "off",
  timezone: "UTC",
  // A statement or a row in the log could show what is in the store: neither texts nor details are written.
  log_min_messages: "warning",
  log_statement: "none",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
  log_parameter_max_length_on_error: "0",
  log_timezone: "UTC",
};

/** `-c name=value` for each. */
export function serverArguments(dataDirectory: string, socketDirectory: string): readonly string[] {
  const settings = Object.entries({ ...SERVER_SETTINGS, unix_socket_directories: socketDirectory });
  return ["-D", dataDirectory, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
}
