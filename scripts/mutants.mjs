/**
 * Plants small mistakes in src/, one at a time, and runs the tests that should notice: `npm run mutants`.
 *
 *   --room a,b     the rooms of scripts/mutants/rooms.mjs; all of them if not given
 *   --file path    only files whose path below src/ begins so
 *   --sample n     so many of the mutants, chosen by --seed (1 if not given)
 *   --floor p      fail when fewer than p percent die, instead of what the room asks for
 *   --list         only say what would be planted
 *
 * What came out is kept in .mutants.json, which Git ignores, until the file or one of its tests changes. Survivors that
 * change nothing anybody could notice are listed with the reason in scripts/mutants/equivalent.txt and do not count.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { mutantsOf } from "./mutants/operators.mjs"
import { rooms } from "./mutants/rooms.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const CACHE = Path.join(root, ".mutants.json")
const EQUIVALENT = Path.join(root, "scripts/mutants/equivalent.txt")
/** A mutant that runs in circles is noticed by its time: so many times that of the tests without one, and some more. */
const PATIENCE = { times: 5, millis: 30_000 }

const hash = (...texts) => createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16)

const below = (folder) =>
  Fs.readdirSync(Path.join(root, folder), { recursive: true }).map((file) => file.split(Path.sep).join("/")).sort()

const read = (path) => Fs.readFileSync(Path.join(root, path), "utf8")

const oneLine = (text) => text.replace(/\s+/g, " ").trim()

// -- what is planted ----------------------------------------------------------------------------------------------------

/** How a mutant is named in the list of those that change nothing: it survives changes elsewhere in the file. */
export const nameOf = ({ before, file, operator, text }) =>
  `${file} | ${operator} | ${oneLine(before)} -> ${oneLine(text)}`

const roomOf = (file) => Object.keys(rooms).find((name) => rooms[name].files.some((start) => file.startsWith(start)))

const mutantsIn = (room, only) =>
  below("src").filter((file) => file.endsWith(".ts") && roomOf(file) === room)
    .filter((file) => only === undefined || file.startsWith(only))
    .flatMap((file) => mutantsOf(read(`src/${file}`)).map((mutant) => ({ file, ...mutant })))

/** The same choice for the same seed, and for a larger sample the same ones and more. */
export const sampleOf = (mutants, size, seed) =>
  [...mutants].sort((one, other) =>
    hash(seed, nameOf(one), one.start) < hash(seed, nameOf(other), other.start) ? -1 : 1
  )
    .slice(0, size)

const equivalents = () =>
  new Set(
    read("scripts/mutants/equivalent.txt").split("\n").filter((line) => line !== "" && !line.startsWith("#"))
      .filter((line) => !line.startsWith(" "))
  )

// -- running ------------------------------------------------------------------------------------------------------------

const testsOf = (group) =>
  below("test").filter((file) => file.endsWith(".test.ts") && group.some((start) => file.startsWith(start)))
    .map((file) => `test/${file}`)

/** Whether the tests pass with the mutant in place; with none if there is none. */
const passes = (tests, file, mutant, patience) =>
  new Promise((resolve) => {
    const vitest = spawn(
      process.execPath,
      [
        Path.join(root, "node_modules/vitest/vitest.mjs"),
        "run",
        "--config",
        "scripts/mutants/vitest.config.mjs",
        "--root",
        root,
        "--bail",
        "1",
        "--reporter",
        "dot",
        ...tests
      ],
      {
        cwd: root,
        detached: true,
        stdio: "ignore",
        env: { ...process.env, EFFECT_BATCH_MUTANT: JSON.stringify({ file: Path.join(root, "src", file), mutant }) }
      }
    )
    const end = () => process.kill(-vitest.pid, "SIGKILL")
    const timer = setTimeout(end, patience)
    // Its workers are in a group of their own, which a signal to this process does not reach.
    process.once("exit", end)
    vitest.on("exit", (code) => {
      clearTimeout(timer)
      process.off("exit", end)
      resolve(code === 0)
    })
  })

const baselines = new Map()

/** How long the tests take when nothing is wrong; they must pass then. */
const baseline = async (tests) => {
  const key = tests.join(" ")
  if (!baselines.has(key)) {
    const since = performance.now()
    if (!await passes(tests, "", undefined, 600_000)) {
      throw new Error(`these tests fail without a mutant: ${key}`)
    }
    baselines.set(key, performance.now() - since)
  }
  return baselines.get(key)
}

const isKilled = async (room, mutant) => {
  for (const group of room.tests) {
    const tests = testsOf(group)
    const patience = PATIENCE.millis + PATIENCE.times * await baseline(tests)
    if (!await passes(tests, mutant.file, mutant, patience)) return true
  }
  return false
}

// -- the command --------------------------------------------------------------------------------------------------------

const cached = () => Fs.existsSync(CACHE) ? JSON.parse(Fs.readFileSync(CACHE, "utf8")) : {}

const keyOf = (room, mutant) =>
  hash(read(`src/${mutant.file}`), mutant.start, mutant.end, mutant.text, ...room.tests.flatMap(testsOf).map(read))

const scored = (percent) => `${percent.toFixed(1)} %`

const tryRoom = async (name, mutants, known) => {
  const room = rooms[name]
  const harmless = equivalents()
  let killed = 0
  let counted = 0
  for (const mutant of mutants.filter((mutant) => !harmless.has(nameOf(mutant)))) {
    const key = keyOf(room, mutant)
    known[key] ??= await isKilled(room, mutant) ? "killed" : "survived"
    Fs.writeFileSync(CACHE, JSON.stringify(known))
    counted++
    killed += known[key] === "killed" ? 1 : 0
    if (known[key] === "survived") {
      console.log(`survived  src/${mutant.file}:${mutant.line}\n          ${nameOf(mutant)}`)
    }
  }
  const percent = counted === 0 ? 100 : 100 * killed / counted
  console.log(`${name}: ${killed} of ${counted} mutants die, ${scored(percent)}`)
  return { killed, counted, percent }
}

const main = async () => {
  const { values } = parseArgs({
    options: {
      room: { type: "string" },
      file: { type: "string" },
      sample: { type: "string" },
      seed: { type: "string", default: "1" },
      floor: { type: "string" },
      list: { type: "boolean", default: false }
    }
  })
  const names = values.room?.split(",") ?? Object.keys(rooms)
  const unknown = names.filter((name) => rooms[name] === undefined)
  if (unknown.length > 0) throw new Error(`no such room: ${unknown}; there are ${Object.keys(rooms).join(", ")}`)
  const all = names.flatMap((name) => mutantsIn(name, values.file).map((mutant) => ({ room: name, ...mutant })))
  const chosen = values.sample === undefined ? all : sampleOf(all, Number(values.sample), values.seed)
  if (values.list) return chosen.forEach((mutant) => console.log(`${mutant.line}\t${nameOf(mutant)}`))
  const known = cached()
  const results = []
  for (const name of names) {
    const mutants = chosen.filter(({ room }) => room === name)
    if (mutants.length > 0) results.push({ name, ...await tryRoom(name, mutants, known) })
  }
  const killed = results.reduce((sum, result) => sum + result.killed, 0)
  const counted = results.reduce((sum, result) => sum + result.counted, 0)
  const low = values.floor === undefined
    ? results.filter(({ name, percent }) => percent < rooms[name].floor).map(({ name }) => name)
    : counted > 0 && 100 * killed / counted < Number(values.floor)
    ? ["all"]
    : []
  console.log(`mutants: ${killed} of ${counted} die`)
  if (low.length > 0) console.error(`below the floor: ${low.join(", ")}`)
  process.exitCode = low.length > 0 ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130))
  await main()
}
