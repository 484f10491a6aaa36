import { z } from "zod";

/** Absolute or below the user's home; nothing that a shell, a log or a path walk could take for something else. */
export const hostPath = z
  .string()
  .max(1024)
  .regex(/^(?:~\/|\/)[^\p{Cc}\p{Cf}]+$/u, "must be an absolute path, or begin with ~/")
  .refine((path) => !path.split("/").includes(".."), "must not climb with ..")
  .refine((path) => !path.endsWith("/"), "must name a file");

const MAX_ALSO_CHECKED = 32;

/** Further files in which copies may stand: searched, never written. */
export const alsoCheckSchema = z
  .array(hostPath)
  .max(MAX_ALSO_CHECKED, `names more than ${MAX_ALSO_CHECKED} files`)
  .refine((paths) => new Set(paths).size === paths.length, "names a file twice");
