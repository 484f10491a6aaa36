/**
 * Where the command line finds the server of its own machine: a unix socket in the data directory, and a file beside it
 * that names both ways in. Where the kernel takes no path of that length the socket lies in a directory of its own.
 */
import { z } from "zod";

export const SERVER_FILE = "server.json";
export const ADMIN_TOKEN_FILE = "admin.token";
export const SOCKET_FILE = "server.sock";
/** Begins the name of a directory that holds nothing but the socket. */
export const SOCKET_DIRECTORY_PREFIX = "lockstep-line-";

export const serverFile = z.object({
  /** Where the same API is served over TCP. To be shown; a token that was found here is never sent there. */
  url: z.url(),
  /** Absolute path of the unix socket. */
  socket: z.string().startsWith("/"),
});
