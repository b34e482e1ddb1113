/**
 * The secret of a claim.
 */
import { randomUUID } from "node:crypto"
import type { Encoded } from "./JobRepository.js"

/** Behind what everybody may know. */
export const tokenOf = ({ claimTag }: Pick<Encoded, "claimTag">): string =>
  claimTag === undefined ? randomUUID() : `${claimTag}.${randomUUID()}`
