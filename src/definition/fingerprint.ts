/**
 * A short name for code, by which two processes tell whether they have the same.
 */
import { createHash } from "node:crypto"

/** The same for the same text, white space aside: a formatter changes no code. */
export const fingerprintOf = (code: string | ReadonlyArray<string>): string =>
  createHash("sha256").update([code].flat().join("\0").replace(/\s+/g, " ")).digest("hex").slice(0, 12)
