/** Types for the test of the rules; see layers.mjs. */
export interface Imports {
  readonly local: ReadonlyArray<{ readonly to: string; readonly typesOnly: boolean }>
  readonly external: ReadonlyArray<string>
}
export const floors: ReadonlyArray<ReadonlyArray<string>>
export const roomOf: (file: string) => string | undefined
export const graphOf: (texts: { readonly [file: string]: string }) => ReadonlyMap<string, Imports>
export const problemsOf: (graph: ReadonlyMap<string, Imports>) => ReadonlyArray<string>
export const drawingOf: (graph: ReadonlyMap<string, Imports>) => string
