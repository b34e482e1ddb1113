/** The parts of two drivers without types of their own that the hand-written programs and some tests use. */

declare module "pg-copy-streams" {
  import type { Writable } from "node:stream"
  import type { Submittable } from "pg"

  export const from: (text: string) => Writable & Submittable
}

declare module "better-sqlite3" {
  interface Statement {
    readonly run: (...values: ReadonlyArray<unknown>) => unknown
    readonly get: (...values: ReadonlyArray<unknown>) => unknown
  }
  export default class Database {
    constructor(filename: string, options?: { readonly timeout?: number })
    readonly inTransaction: boolean
    readonly exec: (text: string) => void
    readonly pragma: (text: string) => unknown
    readonly prepare: (text: string) => Statement
    readonly close: () => void
  }
}
