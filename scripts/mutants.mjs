/**
 * Plants small mistakes in src/, one at a time, and runs the tests that should notice: `npm run mutants`.
 *
 *   --room a,b     the rooms of scripts/mutants/rooms.mjs; all of them if not given
 *   --file path    only files whose path below src/ begins so
 *   --name text    only mutants whose name, as printed, contains this
 *   --sample n     so many of the mutants of each room, chosen by --seed (1 if not given)
 *   --floor p      fail when fewer than p percent die, instead of what the room asks for
 *   --list         only say what would be planted
 *   --plant file   mutants of your own instead: JSON, `[{ "file": "engine/step/state.ts", "before": "…", "text": "…" }]`, where
 *                  `before` stands once in the file; `tests`, if given, are those to try, as beginnings below test/
 *   --seconds n    how long the tests of a mutant may take together, 60 if not given; what survives less is worth a second try
 *   --deep         try survivors also by tests that run the code in processes of their own, which are slow
 *   --reach        run all tests once and write down which of them reach which function: from then on a mutant is tried
 *                  by these only, those of its room first
 *
 * What came out is kept in .mutants.json, which Git ignores: a mutant that died stays dead until its file or the test that
 * noticed it changes, one that survived is tried again when any test has changed. Survivors that change nothing anybody
 * could notice are listed with the reason in scripts/mutants/equivalent.txt and do not count.
 */
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { mutantsOf } from "./mutants/operators.mjs"
import { collect, testsReaching } from "./mutants/reach.mjs"
import { rooms } from "./mutants/rooms.mjs"
import { close, run, runReaching } from "./mutants/tests.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const CACHE = Path.join(root, ".mutants.json")
const REACH = Path.join(root, ".mutants-reach.json")
/** A mutant that runs in circles is noticed by its time: so many times that of the tests without one, and some more. */
const PATIENCE = { times: 4, millis: 20_000 }

const hash = (...texts) => createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 16)

const below = (folder) =>
  Fs.readdirSync(Path.join(root, folder), { recursive: true }).map((file) => file.split(Path.sep).join("/")).sort()

const read = (path) => Fs.readFileSync(Path.join(root, path), "utf8")

const readJson = (file) => Fs.existsSync(file) ? JSON.parse(Fs.readFileSync(file, "utf8")) : {}

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

/** Mutants that somebody has written down. */
const planted = (room, list) =>
  list.filter(({ file }) => roomOf(file) === room).map(({ before, file, tests, text }) => {
    const [front, behind, ...more] = read(`src/${file}`).split(before)
    if (behind === undefined || more.length > 0) throw new Error(`does not stand once in ${file}: ${before}`)
    const line = front.split("\n").length
    return {
      file,
      tests,
      operator: "planted",
      line,
      before,
      text,
      start: front.length,
      end: front.length + before.length
    }
  })

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

// -- which tests try it -------------------------------------------------------------------------------------------------

const allTests = () =>
  ["test", "examples"].flatMap((folder) =>
    below(folder).filter((file) => file.endsWith(".test.ts")).map((file) => `${folder}/${file}`)
  )

const testsOf = (group) => allTests().filter((file) => group.some((start) => file.startsWith(`test/${start}`)))

const reach = readJson(REACH)

/**
 * As a list of portions, the most promising tests first, each with the time that it takes, where that is known: those of
 * the room, the quick ones of them first, then others that reach the place, for so many seconds.
 */
const portionsFor = (room, mutant, seconds) => {
  if (mutant.tests !== undefined) return [{ tests: testsOf(mutant.tests), millis: 30_000 }]
  const groups = room.tests.map(testsOf)
  const text = read(`src/${mutant.file}`)
  const reaching = testsReaching(reach, hash(text), text, mutant)
  if (reaching === undefined) return groups.map((tests) => ({ tests, millis: undefined }))
  const all = allTests()
  const millisOf = new Map(reaching.map(({ millis, test }) => [test, millis]).filter(([test]) => all.includes(test)))
  // Tests that are newer than what is known of their reach are tried, too.
  groups.flat().filter((test) => reach.tests[test] === undefined).forEach((test) => millisOf.set(test, 1_000))
  const byTime = [...millisOf].sort(([, one], [, other]) => one - other).map(([test]) => test)
  const own = groups.map((group) => byTime.filter((test) => group.includes(test)))
  const ordered = [...new Set([...own.flat(), ...byTime])]
  const portion = { tests: [], millis: 0 }
  for (const test of ordered) {
    if (portion.tests.length === 0 || portion.millis + millisOf.get(test) <= seconds * 1000) {
      portion.tests.push(test)
      portion.millis += millisOf.get(test)
    }
  }
  return portion.tests.length === 0 ? [] : [portion]
}

const baselines = new Map()

/** How long the tests take when nothing is wrong; they must pass then. */
const baseline = async (tests) => {
  const key = tests.join(" ")
  if (!baselines.has(key)) {
    const since = performance.now()
    const { failed, passes } = await run(tests, { patience: 600_000 })
    if (!passes) throw new Error(`fails without a mutant: ${failed}`)
    baselines.set(key, performance.now() - since)
  }
  return baselines.get(key)
}

const sound = new Map()

/** Whether a test passes without a mutant: one that does not, on this machine today, notices nothing. */
const isSound = async (test) => {
  if (!sound.has(test)) {
    const { passes } = await run([test], { patience: 600_000 })
    sound.set(test, passes)
    if (!passes) console.error(`${test} fails without a mutant: what it says does not count`)
  }
  return sound.get(test)
}

/** Which of the tests fails first with the mutant, or "time"; undefined if none does. */
const firstToFail = async (tests, { file, millis, mutant }) => {
  const usable = tests.filter((test) => sound.get(test) !== false)
  const patience = PATIENCE.millis + PATIENCE.times * (millis ?? await baseline(usable))
  const { failed, passes } = await run(usable, { file, mutant, patience })
  return passes
    ? undefined
    : tests.includes(failed) && !(await isSound(failed))
    ? firstToFail(tests, { file, millis, mutant })
    : failed
}

/** What notices the mutant: a test file, "time", or nothing. */
const noticedBy = async (room, mutant, { deep, seconds }) => {
  const file = Path.join(root, "src", mutant.file)
  const processes = deep && room.processes !== undefined ? [{ tests: testsOf(room.processes), millis: undefined }] : []
  for (const { millis, tests } of [...portionsFor(room, mutant, seconds), ...processes]) {
    const failed = await firstToFail(tests, { file, millis, mutant })
    if (failed !== undefined) return failed
  }
  return undefined
}

// -- what is known already ----------------------------------------------------------------------------------------------

const keyOf = (mutant) => hash(read(`src/${mutant.file}`), mutant.start, mutant.end, mutant.text)

const textOf = (test) => Fs.existsSync(Path.join(root, test)) ? read(test) : ""

/** Stays as it is while the test that noticed the mutant does, or all tests if none did. */
const stateOf = (by, effort) =>
  by === undefined ? hash(JSON.stringify(effort), ...allTests().map(read)) : hash(textOf(by))

const verdictOn = async (room, mutant, known, effort) => {
  const key = keyOf(mutant)
  const before = known[key]
  if (before !== undefined && before.state === stateOf(before.by, effort)) return before
  const by = await noticedBy(room, mutant, effort)
  known[key] = { name: nameOf(mutant), by, state: stateOf(by, effort) }
  Fs.writeFileSync(CACHE, JSON.stringify(known))
  return known[key]
}

// -- the command --------------------------------------------------------------------------------------------------------

const tryRoom = async (name, mutants, known, effort) => {
  const harmless = equivalents()
  const counted = mutants.filter((mutant) => !harmless.has(nameOf(mutant)))
  let killed = 0
  for (const mutant of counted) {
    const { by } = await verdictOn(rooms[name], mutant, known, effort)
    killed += by === undefined ? 0 : 1
    if (by === undefined) console.log(`survived  src/${mutant.file}:${mutant.line}\n          ${nameOf(mutant)}`)
  }
  const percent = counted.length === 0 ? 100 : 100 * killed / counted.length
  console.log(`${name}: ${killed} of ${counted.length} mutants die, ${percent.toFixed(1)} %`)
  return { name, killed, counted: counted.length, percent }
}

const writeReach = async () => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-reach-"))
  const sources = Object.fromEntries(
    below("src").filter((file) => file.endsWith(".ts")).map((file) => [file, hash(read(`src/${file}`))])
  )
  if (!await runReaching(folder)) console.error("some tests fail without a mutant: see above")
  Fs.writeFileSync(REACH, JSON.stringify({ sources, tests: collect(folder) }))
  Fs.rmSync(folder, { recursive: true })
}

const options = {
  room: { type: "string" },
  file: { type: "string" },
  name: { type: "string", default: "" },
  sample: { type: "string" },
  seed: { type: "string", default: "1" },
  floor: { type: "string" },
  list: { type: "boolean", default: false },
  plant: { type: "string" },
  seconds: { type: "string", default: "60" },
  deep: { type: "boolean", default: false },
  reach: { type: "boolean", default: false }
}

const main = async () => {
  const { values } = parseArgs({ options })
  if (values.reach) return writeReach()
  const names = values.room?.split(",") ?? Object.keys(rooms)
  const unknown = names.filter((name) => rooms[name] === undefined)
  if (unknown.length > 0) throw new Error(`no such room: ${unknown}; there are ${Object.keys(rooms).join(", ")}`)
  const own = values.plant === undefined ? undefined : readJson(Path.resolve(values.plant))
  const known = readJson(CACHE)
  const effort = { deep: values.deep, seconds: Number(values.seconds) }
  const results = []
  for (const name of names) {
    const all = (own === undefined ? mutantsIn(name, values.file) : planted(name, own)).filter((mutant) =>
      nameOf(mutant).includes(values.name)
    )
    const chosen = values.sample === undefined ? all : sampleOf(all, Number(values.sample), values.seed)
    if (values.list) chosen.forEach((mutant) => console.log(`${mutant.line}\t${nameOf(mutant)}`))
    else if (chosen.length > 0) results.push(await tryRoom(name, chosen, known, effort))
  }
  const killed = results.reduce((sum, result) => sum + result.killed, 0)
  const counted = results.reduce((sum, result) => sum + result.counted, 0)
  const low = values.floor === undefined
    ? results.filter(({ name, percent }) => percent < rooms[name].floor).map(({ name }) => name)
    : counted > 0 && 100 * killed / counted < Number(values.floor)
    ? ["all"]
    : []
  if (!values.list) console.log(`mutants: ${killed} of ${counted} die`)
  if (low.length > 0) console.error(`below the floor: ${low.join(", ")}`)
  process.exitCode = low.length > 0 ? 1 : 0
  close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130))
  await main()
}
