/**
 * Measures variants in turn, round by round, so that a machine whose speed drifts treats them alike.
 */
import * as Fs from "node:fs"

/** One measured run: wall and processor time in nanoseconds. */
export interface Sample {
  readonly wall: number
  readonly cpu: number
  /** The processor time that the database server took meanwhile, or whoever else works for it. */
  readonly serverCpu: number
}

/** What happens around each run without being measured, and who else works for it. */
export interface Around {
  readonly before?: () => unknown
  /** Checks what the run has done. */
  readonly after?: () => unknown
  /** The process of the database server. */
  readonly server?: number | undefined
}

export const time = async (run: () => unknown, server?: number | ReadonlyArray<number>): Promise<Sample> => {
  globalThis.gc?.()
  const serverCpu = processorTime(server)
  const cpu = process.cpuUsage()
  const wall = process.hrtime.bigint()
  await run()
  const used = process.cpuUsage(cpu)
  return {
    wall: Number(process.hrtime.bigint() - wall),
    cpu: (used.user + used.system) * 1000,
    serverCpu: processorTime(server) - serverCpu
  }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Runs every variant once per round, after one round that is not counted. */
export const rounds = async <Name extends string>(
  variants: Readonly<Record<Name, () => unknown>>,
  count: number,
  around: Around = {}
): Promise<Readonly<Record<Name, ReadonlyArray<Sample>>>> => {
  const names = Object.keys(variants) as Array<Name>
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Array<Sample>>
  for (let round = 0; round <= count; round++) {
    for (const name of names) {
      await around.before?.()
      const sample = await time(variants[name], around.server)
      await around.after?.()
      if (round > 0) {
        samples[name].push(sample)
      }
    }
  }
  return samples
}

/** How often the time of the first goes into that of the second: the median of the rounds. */
export const ratio = (
  of: ReadonlyArray<Sample>,
  to: ReadonlyArray<Sample>,
  by: "wall" | "cpu" = "wall"
): number => median(of.map((sample, round) => to[round]![by] / sample[by]))

export const wall = (samples: ReadonlyArray<Sample>): number => median(samples.map((sample) => sample.wall))

/** A Markdown table. */
export const table = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n"

export const print = (title: string, header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): void =>
  void process.stdout.write(`${title}:\n\n${table(header, rows)}\n`)

export const thousands = (value: number): string => Math.round(value).toLocaleString("en")

// The ticks in which Linux counts; elsewhere the column stays at zero.
const TICK = 1e7

/** Nanoseconds that a process, its children and those it has outlived have worked. */
const processorTime = (pid: number | ReadonlyArray<number> | undefined): number => {
  if (typeof pid === "object") {
    return pid.reduce((sum, each) => sum + processorTime(each), 0)
  }
  if (pid === undefined || process.platform !== "linux") {
    return 0
  }
  let ticks = 0
  for (const entry of Fs.readdirSync("/proc")) {
    const fields = /^\d+$/.test(entry) ? statOf(entry) : undefined
    if (fields !== undefined && Number(entry) === pid) {
      ticks += sum(fields.slice(11, 15))
    } else if (fields !== undefined && Number(fields[1]) === pid) {
      ticks += sum(fields.slice(11, 13))
    }
  }
  return ticks * TICK
}

const sum = (values: ReadonlyArray<string>): number => values.reduce((total, value) => total + Number(value), 0)

// The name of the program stands in parentheses and may hold spaces: [0] is the state behind it, [1] the parent.
const statOf = (pid: string): ReadonlyArray<string> | undefined => {
  try {
    const text = Fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}
