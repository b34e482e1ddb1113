/**
 * Whether nobody holds a claim any more, so that the next one may be made (D16, OWN-20, OWN-21).
 */

/** What is stored of a claim of an execution that has not ended. The token is empty in rows of 0.1. */
export interface Claim {
  readonly leaseLeftMillis: number | null
  readonly owner: string | null
  readonly token?: string | undefined
}

/** What this process knows beyond what is stored. */
export interface Witness {
  readonly isOwnerGone: (owner: string) => boolean
  /** Whether this very process made the claim and does nothing any more in its name. */
  readonly hasGivenUp?: ((token: string) => boolean) | undefined
}

export const isOver = ({ leaseLeftMillis, owner, token = "" }: Claim, { hasGivenUp, isOwnerGone }: Witness): boolean =>
  leaseLeftMillis === null || leaseLeftMillis < 0 || (owner !== null && isOwnerGone(owner)) ||
  (token !== "" && hasGivenUp?.(token) === true)
