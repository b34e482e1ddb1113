/**
 * `npm run simulate -- --faults 100000 --seed 1`: runs one seed after the other until so many faults have struck. A seed that fails
 * is printed with the fewest faults with which it still does. `--partitions 1000` makes every plan that large, of one chunk each.
 */
import * as Faults from "./faults.js"
import * as Simulation from "./simulation.js"

const number = (flag: string, standard: number): number => {
  const at = process.argv.indexOf(`--${flag}`)
  const value = at < 0 ? standard : Number(String(process.argv[at + 1]).replaceAll("_", ""))
  if (!Number.isInteger(value) || value < 0) {
    process.stderr.write(`--${flag} must be a whole number\n`)
    process.exit(2)
  }
  return value
}

const faults = number("faults", 1000)
const first = number("seed", 1)
const partitions = number("partitions", 0)
const draw = (seed: number): Simulation.Scenario =>
  partitions === 0 ? Faults.draw(seed) : { ...Faults.draw(seed), partitions, items: 2 }
/** Pieces of work until nobody waits for the end any more. */
const mostTicks = Math.max(300_000, partitions * 1000)
const began = performance.now()
const struck = new Map<string, number>()
const failed: Array<number> = []
let [count, seed, executions] = [0, first, 0]
const tell = (): void => {
  const kinds = Faults.KINDS.map((kind) => `${struck.get(kind) ?? 0} ${kind}`).join(", ")
  process.stdout.write(
    `${new Date().toISOString().slice(0, 10)}, seeds ${first} to ${seed - 1}: ${count} faults (${kinds}), ` +
      `${executions} executions, ${failed.length} seeds failed, ${Math.round((performance.now() - began) / 1000)} s\n`
  )
}

let told = 0
while (count < faults) {
  if (count - told >= 5000) {
    told = count
    tell()
  }
  const scenario = draw(seed)
  const result = Simulation.run(scenario, { mostTicks })
  result.struck.forEach((kind) => struck.set(kind, (struck.get(kind) ?? 0) + 1))
  count += result.struck.length
  executions += result.executions
  if (result.violations.length > 0) {
    failed.push(seed)
    const isFailing = (fewer: Simulation.Scenario) => Simulation.run(fewer, { mostTicks }).violations.length > 0
    const shortest = Faults.shrink(scenario, isFailing)
    const { trace, violations } = Simulation.run(shortest, { mostTicks })
    const { faults: few, ...others } = shortest
    process.stdout.write(
      `seed ${seed} fails with ${few.length} of ${scenario.faults.length} faults: ${JSON.stringify(others)}\n` +
        `${trace.join("\n")}\n${violations.slice(0, 8).map((text) => `  VIOLATED: ${text}\n`).join("")}\n`
    )
    if (failed.length >= 5) {
      break
    }
  }
  seed++
}
tell()
process.exit(failed.length > 0 ? 1 : 0)
