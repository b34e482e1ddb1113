/** Types for the test of the mutants; see mutants.mjs. */
import type { Mutant } from "./mutants/operators.mjs"

export interface Placed extends Mutant {
  readonly file: string
}
export const nameOf: (mutant: Pick<Placed, "before" | "file" | "operator" | "text">) => string
export const sampleOf: (mutants: ReadonlyArray<Placed>, size: number, seed: string) => ReadonlyArray<Placed>
