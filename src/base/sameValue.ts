import * as Equal from "effect/Equal"
import * as Utils from "effect/Utils"

/**
 * Whether a person would call two values the same: by structure, through arrays and plain objects, by `Equal` where it
 * is defined, and errors by name and message.
 *
 * @internal
 */
export const sameValue = (self: unknown, that: unknown): boolean =>
  Utils.structuralRegion(() => Equal.equals(self, that), sameOther)

const sameOther = (self: unknown, that: unknown): boolean =>
  Object.is(self, that) ||
  (self instanceof Error && that instanceof Error && self.name === that.name && self.message === that.message)
