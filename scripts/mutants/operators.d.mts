/** Types for the test of the mutants; see operators.mjs. */
export interface Mutant {
  readonly operator: string
  readonly line: number
  readonly before: string
  readonly start: number
  readonly end: number
  readonly text: string
}
export const mutantsOf: (text: string) => ReadonlyArray<Mutant>
export const plant: (text: string, mutant: Pick<Mutant, "start" | "end" | "text">) => string
