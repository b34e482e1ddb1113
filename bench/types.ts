/**
 * What the types of a long job cost the compiler: generated programs of 15 and 60 steps with errors and services of their
 * own, in a chain with branches.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as measure from "./measure.js"
import * as options from "./options.js"

const root = fileURLToPath(new URL("..", import.meta.url))

const imports = `import { Context, Data, Effect, Schema } from "effect"
import { Flow, ItemReader, ItemWriter, Job, JobParameters, Step } from "effect-batch"

class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.String }) {}
`

/** Every third step is a tasklet, every fifth one decides how the flow goes on. */
const step = (n: number): string =>
  n % 3 === 2
    ? `
class Error${n} extends Data.TaggedError("Error${n}")<{}> {}
const step${n} = Step.tasklet("step${n}", Effect.flatMap(Params, ({ day }) =>
  day === "" ? new Error${n}() : Effect.void))
`
    : `
class Error${n} extends Data.TaggedError("Error${n}")<{ readonly id: number }> {}
class Service${n} extends Context.Tag("Service${n}")<Service${n}, {
  readonly price: (id: number) => Effect.Effect<number, Error${n}>
}>() {}
const step${n} = Step.chunk("step${n}", {
  reader: ItemReader.fromIterable([{ id: ${n}, name: "name" }]),
  processor: ({ id, name }) =>
    Effect.flatMap(Service${n}, ({ price }) => Effect.map(price(id), (price) => ({ id, name, price }))),
  writer: ItemWriter.fromFunction((items: ReadonlyArray<{ readonly id: number; readonly price: number }>) =>
    Effect.asVoid(Effect.succeed(items.length))),
  chunkSize: 100
}).pipe(Step.retry("Error${n}", { times: 2 }), Step.skip("Error${n}", { limit: 10 }))
`

const flow = (count: number): string => {
  let text = "step0"
  for (let n = 1; n < count; n++) {
    text = n % 5 === 0
      ? `Flow.match(${text}, { COMPLETED: step${n}, "*": Flow.fail("FAILED ${n}") })`
      : `Flow.andThen(${text}, step${n})`
  }
  return text
}

const program = (count: number): string =>
  imports + Array.from({ length: count }, (_, n) => step(n)).join("") +
  (count === 0 ? "" : `\nexport const job = Job.make("generated", { parameters: Params, flow: ${flow(count)} })\n`)

interface Diagnostics {
  readonly check: number
  readonly instantiations: number
  readonly memory: number
}

const compile = (directory: string, count: number): Diagnostics => {
  const file = Path.join(directory, `steps${count}.ts`)
  Fs.writeFileSync(file, program(count))
  const config = Path.join(directory, "tsconfig.json")
  const extended = JSON.parse(Fs.readFileSync(Path.join(root, "tsconfig.json"), "utf8")) as {
    readonly compilerOptions: { readonly paths: Readonly<Record<string, ReadonlyArray<string>>> }
  }
  const paths = Object.fromEntries(
    Object.entries(extended.compilerOptions.paths).map(([name, [path]]) => [name, [Path.join(root, path!)]])
  )
  Fs.writeFileSync(
    config,
    JSON.stringify({
      extends: Path.join(root, "tsconfig.base.json"),
      compilerOptions: { noEmit: true, noUnusedLocals: false, paths, plugins: [] },
      files: [file]
    })
  )
  const tsc = spawnSync(
    process.execPath,
    [Path.join(root, "node_modules/typescript/bin/tsc"), "-p", config, "--extendedDiagnostics"],
    { encoding: "utf8" }
  )
  if (tsc.status !== 0) {
    throw new Error(`the generated program does not compile:\n${tsc.stdout.slice(0, 2000)}`)
  }
  const value = (name: string) => Number(new RegExp(`^${name}:\\s*([\\d.]+)`, "m").exec(tsc.stdout)?.[1])
  return { check: value("Check time"), instantiations: value("Instantiations"), memory: value("Memory used") }
}

export const types = async (): Promise<void> => {
  const cache = Path.join(root, "node_modules", ".cache")
  Fs.mkdirSync(cache, { recursive: true })
  // Inside the package, from where the generated program finds its dependencies.
  const directory = Fs.mkdtempSync(Path.join(cache, "bench-types-"))
  try {
    const counts = [0, 15, 60]
    const runs = new Map<number, Array<Diagnostics>>(counts.map((count) => [count, []]))
    for (let round = 0; round < options.roundsOr(3); round++) {
      for (const count of counts) {
        runs.get(count)!.push(compile(directory, count))
      }
    }
    const of = (count: number, key: keyof Diagnostics) => measure.median(runs.get(count)!.map((run) => run[key]))
    measure.print(
      `Types, median of ${options.roundsOr(3)}; the first row is the library alone`,
      ["steps", "check, seconds", "ms per step", "instantiations", "per step", "memory"],
      counts.map((count) => {
        const over = (key: keyof Diagnostics) => (of(count, key) - of(0, key)) / count
        return [
          String(count),
          of(count, "check").toFixed(2),
          count === 0 ? "" : (over("check") * 1000).toFixed(0),
          measure.thousands(of(count, "instantiations")),
          count === 0 ? "" : measure.thousands(over("instantiations")),
          `${(of(count, "memory") / 1024).toFixed(0)} MiB`
        ]
      })
    )
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}
