/**
 * Holds the house to its floors: a file imports from its own room or from a room below, types included; files never import
 * each other in a circle at run time; files of decisions stay pure; and each room uses only the packages that it may ask its
 * users to install.
 *
 * A room is a folder of src/; the rooms of `engine` are its folders. `--draw` prints the drawing that CONTRIBUTING shows,
 * `--check FILE` fails when the drawing in FILE is not today's.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

/** From the ground up; rooms on one floor do not import from each other. */
export const floors = [
  ["base"],
  ["vocabulary"],
  ["decisions"],
  ["ports"],
  ["item"],
  ["definition", "sql", "file"],
  ["engine/session"],
  ["engine/step"],
  ["engine/chunk", "engine/partition"],
  ["engine/flow"],
  ["engine/job"],
  ["view"],
  ["operator"],
  ["api", "dashboard", "watch", "worker"],
  ["cli", "cluster", "testing"]
]

/** Whole decisions: values in, values out. */
export const pure = [
  "decisions/",
  "definition/defects",
  "definition/graph",
  "definition/places",
  "definition/routes",
  "engine/chunk/checkpoint",
  "engine/chunk/chunk",
  "engine/chunk/cursor",
  "engine/chunk/machine",
  "engine/step/doubt",
  "engine/step/outcome",
  "engine/step/progress",
  "file/outputPlan"
]

/** Decisions that are `Schedule`s, and so need effects to be stepped. */
export const stepped = ["decisions/policyRun", "decisions/RetryPolicy", "decisions/SkipPolicy"]

/** What each room may import besides src/ itself; a `:` at the end stands for any module of that scheme. */
const packages = {
  item: ["effect", "node:fs", "node:module", "node:os", "node:url", "node:worker_threads"],
  sql: ["effect", "@effect/platform", "@effect/sql", "@effect/sql-pg", "node:crypto"],
  file: ["effect", "@effect/platform", "node:"],
  dashboard: ["effect", "@effect/platform", "@effect/platform-node", "node:"],
  api: ["effect", "@effect/platform"],
  watch: ["effect", "@effect/platform"],
  cluster: [
    "effect",
    "@effect/cluster",
    "@effect/platform",
    "@effect/platform-node",
    "@effect/rpc",
    "@effect/sql",
    "node:crypto"
  ],
  cli: ["effect", "@effect/platform", "node:child_process", "node:os", "node:util"],
  testing: ["effect", "@effect/platform", "@effect/sql", "@effect/vitest", "vitest", "node:"],
  definition: ["effect", "@effect/platform", "node:crypto"]
}
const everywhere = ["effect", "node:crypto", "node:fs", "node:os"]

/** The entry point of the package, and what it must not pull in: these rooms have entry points of their own. */
const ENTRY = "index"
const apart = ["sql", "file", "api", "dashboard", "watch", "cli", "cluster", "testing"]

// -- the import graph ---------------------------------------------------------------------------------------------------

/** `definition` of `definition/Step`, `engine/chunk` of `engine/chunk/machine`, nothing for the entry point. */
export const roomOf = (file) => {
  const folders = file.split("/").slice(0, -1)
  return folders[0] === "engine" ? folders.slice(0, 2).join("/") : folders[0]
}

const isTypeOnly = (statement) =>
  ts.isExportDeclaration(statement) ? statement.isTypeOnly : statement.importClause?.isTypeOnly === true

const resolve = (file, target) => Path.posix.join(Path.posix.dirname(file), target).replace(/\.js$/, "")

/** The imports of each file, from its text; the names of files are paths below src/ without `.ts`. */
export const graphOf = (texts) =>
  new Map(
    Object.entries(texts).map(([file, text]) => {
      const imports = ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements
        .filter((statement) => ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))
        .filter((statement) => statement.moduleSpecifier !== undefined)
        .map((statement) => ({ target: statement.moduleSpecifier.text, typesOnly: isTypeOnly(statement) }))
      return [file, {
        local: imports.filter(({ target }) => target.startsWith("."))
          .map(({ target, typesOnly }) => ({ to: resolve(file, target), typesOnly })),
        external: imports.map(({ target }) => target).filter((target) => !target.startsWith("."))
      }]
    })
  )

// -- the rules ----------------------------------------------------------------------------------------------------------

const floorOf = (room) => floors.findIndex((rooms) => rooms.includes(room))

const homeless = (file) =>
  file === ENTRY || floorOf(roomOf(file)) >= 0
    ? []
    : [`src/${file}.ts stands in no room: give its folder a floor in scripts/layers.mjs, or move the file`]

const upward = (file, { local }) =>
  local.flatMap(({ to, typesOnly }) => {
    const [from, target] = [roomOf(file), roomOf(to)]
    const isFine = file === ENTRY
      ? !apart.includes(target)
      : from === target || floorOf(target) < floorOf(from)
    return isFine ? [] : [`src/${file}.ts imports ${typesOnly ? "types " : ""}from ${to}, which is not below it`]
  })

const impure = (file, { external }) =>
  pure.some((name) => name.endsWith("/") ? file.startsWith(name) : file === name) && !stepped.includes(file) &&
    external.includes("effect/Effect")
    ? [`src/${file}.ts decides and has to stay pure, but imports effect/Effect`]
    : []

const foreign = (file, { external }) => {
  const allowed = packages[roomOf(file)] ?? everywhere
  const fits = (name) => allowed.some((p) => name === p || name.startsWith(p.endsWith(":") ? p : `${p}/`))
  return external.filter((name) => !fits(name)).map((name) =>
    `src/${file}.ts imports the package ${name}, which its room does not ask for`
  )
}

const circles = (graph) => {
  const [found, finished] = [[], new Set()]
  const visit = (file, path) => {
    if (path.includes(file)) return found.push([...path.slice(path.indexOf(file)), file])
    if (finished.has(file)) return
    for (const { to, typesOnly } of graph.get(file)?.local ?? []) if (!typesOnly) visit(to, [...path, file])
    finished.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return found.map((circle) => `files import each other in a circle: ${circle.join(" -> ")}`)
}

/** Everything that breaks a rule, in words. */
export const problemsOf = (graph) => [
  ...[...graph].flatMap(([file, imports]) => [
    ...homeless(file),
    ...upward(file, imports),
    ...impure(file, imports),
    ...foreign(file, imports)
  ]),
  ...circles(graph)
]

// -- the drawing --------------------------------------------------------------------------------------------------------

/** One line a room, the highest first: its floor, and the rooms it imports from. */
export const drawingOf = (graph) => {
  const below = (room) =>
    new Set(
      [...graph].filter(([file]) => file !== ENTRY && roomOf(file) === room)
        .flatMap(([, { local }]) => local.map(({ to }) => roomOf(to)))
        .filter((target) => target !== room)
    )
  const rows = floors.flatMap((rooms, floor) =>
    rooms.map((room) => {
      const targets = floors.flat().filter((target) => below(room).has(target))
      return `${String(floor).padStart(2)}  ${room.padEnd(17)}${targets.join(", ")}`.trimEnd()
    })
  )
  return rows.reverse().join("\n")
}

// -- the command --------------------------------------------------------------------------------------------------------

const sources = () => {
  const root = fileURLToPath(new URL("../src", import.meta.url))
  return Object.fromEntries(
    Fs.readdirSync(root, { recursive: true })
      .map((file) => file.split(Path.sep).join("/"))
      .filter((file) => file.endsWith(".ts"))
      .sort()
      .map((file) => [file.slice(0, -".ts".length), Fs.readFileSync(Path.join(root, file), "utf8")])
  )
}

const main = (args) => {
  const graph = graphOf(sources())
  if (args[0] === "--draw") return console.log(drawingOf(graph))
  const problems = problemsOf(graph)
  if (args[0] === "--check" && !Fs.readFileSync(args[1], "utf8").includes(drawingOf(graph))) {
    problems.push(`the drawing in ${args[1]} is not today's: put in what \`node scripts/layers.mjs --draw\` prints`)
  }
  for (const problem of problems) console.error(problem)
  console.log(problems.length === 0 ? `layers: ${graph.size} files in order` : `layers: ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2))
