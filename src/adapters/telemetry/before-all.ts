/** Imported first by `main.ts`, for its effect: modules are evaluated in the order in which they are imported. */
import { harden } from "./hardening.ts";

harden();
