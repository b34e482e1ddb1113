/**
 * Measures variants in turn, round by round, so that a machine whose speed drifts treats them alike.
 */

/** One measured run: wall and processor time in nanoseconds. */
export interface Sample {
  readonly wall: number
  readonly cpu: number
}

export const time = async (run: () => unknown): Promise<Sample> => {
  globalThis.gc?.()
  const cpu = process.cpuUsage()
  const wall = process.hrtime.bigint()
  await run()
  const used = process.cpuUsage(cpu)
  return { wall: Number(process.hrtime.bigint() - wall), cpu: (used.user + used.system) * 1000 }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Runs every variant once per round, after one round that is not counted. */
export const rounds = async <Name extends string>(
  variants: Readonly<Record<Name, () => unknown>>,
  count: number
): Promise<Readonly<Record<Name, ReadonlyArray<Sample>>>> => {
  const names = Object.keys(variants) as Array<Name>
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Array<Sample>>
  for (let round = 0; round <= count; round++) {
    for (const name of names) {
      const sample = await time(variants[name])
      if (round > 0) {
        samples[name].push(sample)
      }
    }
  }
  return samples
}

/** A Markdown table. */
export const table = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n"
