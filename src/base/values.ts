/** What the values of this library have in common: they can be piped, and they print as plain data. */
import { BaseProto } from "effect/Inspectable"
import { pipeArguments } from "effect/Pipeable"

/** The prototype of values that carry `brand` under their type id and print as what `shown` makes of them. */
export const prototype = <T>(typeId: symbol, brand: unknown, shown: (self: T) => object): object => ({
  ...BaseProto,
  [typeId]: brand,
  toJSON() {
    return shown(this as T)
  },
  pipe() {
    return pipeArguments(this, arguments)
  }
})
