/**
 * Enforces the layers: a module imports from its own layer or from one below, modules never form a cycle at run time, and
 * each place uses only the packages it may ask its users to install.
 *
 * A new file in src/ needs a place in `layers` below; a file that fits no layer usually does two things.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

/** From the lowest layer up. Names are paths below src/ without `.ts`; a `*` at the end stands for any rest. */
const layers = [
  {
    name: "L0 vocabulary",
    modules: [
      "BatchStatus",
      "ExitStatus",
      "ExecutionContext",
      "JobParameters",
      "JobInstance",
      "JobExecution",
      "StepExecution",
      "SkippedItem",
      "BatchError",
      "BatchEvent",
      "Counts",
      "Json",
      "Sensitive",
      "internal/failure",
      "internal/fastDecode",
      "internal/json",
      "internal/jobKey",
      "internal/monoid",
      "internal/parameterFields",
      "internal/random",
      "internal/sameValue",
      "internal/sealed",
      "internal/sensitive/*",
      "internal/text"
    ]
  },
  {
    name: "L1 decisions",
    modules: [
      "Transition",
      "SkipPolicy",
      "RetryPolicy",
      "RestartPolicy",
      "CompletionPolicy",
      "internal/errorKind",
      "internal/pattern",
      "internal/policyRun"
    ]
  },
  {
    name: "L2 descriptions",
    modules: [
      "ItemReader",
      "ItemProcessor",
      "ItemWriter",
      "Tasklet",
      "Listener",
      "Step",
      "Flow",
      "Job",
      "internal/definition",
      "internal/describe",
      "internal/flowDefects",
      "internal/flowGraph",
      "internal/flowRoutes",
      "internal/inStepScope",
      "internal/itemProcessor/*",
      "internal/itemReader/*",
      "internal/itemWriter/*",
      "internal/mermaid",
      "internal/processor"
    ]
  },
  {
    name: "L3 ports",
    modules: [
      "JobRepository",
      "Transactor",
      "StepScope",
      "JobScope",
      "Listeners",
      "SystemCommandTasklet",
      "internal/memoryDriver",
      "internal/repository",
      "internal/repositoryRows"
    ]
  },
  {
    name: "L4 engine",
    modules: [
      "JobOperator",
      "JobRegistry",
      "BatchMetrics",
      "BatchRuntime",
      "ProgressMeter",
      "internal/chunk*",
      "internal/faultPoint",
      "internal/doubt",
      "internal/explain",
      "internal/flowRunner",
      "internal/flowSplit",
      "internal/flowStep",
      "internal/flowStops",
      "internal/heartbeat",
      "internal/hooks",
      "internal/jobRunner",
      "internal/jobStep",
      "internal/launch",
      "internal/launched",
      "internal/lease",
      "internal/nextParameters",
      "internal/operating",
      "internal/owner",
      "internal/purging",
      "internal/race",
      "internal/running",
      "internal/saving",
      "internal/session",
      "internal/stepBranch",
      "internal/stepOutcome",
      "internal/stepRunner",
      "internal/stepState",
      "internal/stopping",
      "internal/summary",
      "internal/taskletStep",
      "internal/yielding"
    ]
  },
  { name: "L5 adapters", modules: ["sql/*", "file/*", "cli/*", "testing/*"] },
  { name: "entry point", modules: ["index"] }
]

/** Layers that may name each other's types: a description says in its type which port it needs. */
const typesBothWays = [["L2 descriptions", "L3 ports"]]

/** Single imports that break the rule, each with its reason. */
const exceptions = [
  { from: "internal/itemWriter/memory", to: "Transactor", because: "a writer in memory takes part in rollbacks" }
]

/** What each place may import besides src/ itself. The first entry that matches a file decides. */
const packages = [
  { modules: ["sql/*"], allowed: ["effect", "@effect/platform", "@effect/sql", "@effect/sql-pg", "node:crypto"] },
  { modules: ["file/*"], allowed: ["effect", "@effect/platform", "node:"] },
  {
    modules: ["cli/*"],
    allowed: ["effect", "@effect/platform", "@effect/cli", "@effect/printer", "@effect/printer-ansi"]
  },
  {
    modules: ["testing/*"],
    allowed: ["effect", "@effect/platform", "@effect/sql", "@effect/vitest", "vitest", "node:"]
  },
  { modules: ["SystemCommandTasklet"], allowed: ["effect", "@effect/platform"] },
  { modules: ["*"], allowed: ["effect", "node:crypto", "node:fs", "node:os"] }
]

// -- the import graph ---------------------------------------------------------------------------------------------------

const source = fileURLToPath(new URL("../src", import.meta.url))

const files = Fs.readdirSync(source, { recursive: true })
  .map((file) => file.split(Path.sep).join("/"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length))
  .sort()

const isTypeOnly = (statement) => {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly
  const clause = statement.importClause
  return clause !== undefined && clause.isTypeOnly
}

const importsOf = (file) => {
  const text = Fs.readFileSync(Path.join(source, `${file}.ts`), "utf8")
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements
    .filter((statement) => ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))
    .filter((statement) => statement.moduleSpecifier !== undefined)
    .map((statement) => ({ target: statement.moduleSpecifier.text, typesOnly: isTypeOnly(statement) }))
}

const resolve = (file, target) => Path.posix.join(Path.posix.dirname(file), target).replace(/\.js$/, "")

const graph = new Map(files.map((file) => {
  const imports = importsOf(file)
  return [file, {
    local: imports.filter(({ target }) => target.startsWith("."))
      .map(({ target, typesOnly }) => ({ to: resolve(file, target), typesOnly })),
    external: imports.map(({ target }) => target).filter((target) => !target.startsWith("."))
  }]
}))

// -- the rules ----------------------------------------------------------------------------------------------------------

const matches = (file) => (pattern) => pattern.endsWith("*") ? file.startsWith(pattern.slice(0, -1)) : file === pattern

const layerOf = (file) => layers.findIndex(({ modules }) => modules.some(matches(file)))

const folderOf = (file) => file.split("/")[0]

const isAllowed = (file, to, typesOnly) => {
  const [from, target] = [layerOf(file), layerOf(to)]
  const names = [layers[from]?.name, layers[target]?.name]
  if (exceptions.some((e) => e.from === file && e.to === to && (typesOnly || !e.typesOnly))) return true
  if (typesOnly && typesBothWays.some((pair) => names.every((name) => pair.includes(name)))) return true
  if (names.every((name) => name === "L5 adapters")) return folderOf(file) === folderOf(to)
  if (names[0] === "entry point") return names[1] !== "L5 adapters"
  return target <= from
}

const unknownFiles = () =>
  files.filter((file) => layerOf(file) < 0).map((file) =>
    `src/${file}.ts has no layer: give it one in the table of scripts/layers.mjs`
  )

const upwardImports = () =>
  files.filter((file) => layerOf(file) >= 0).flatMap((file) =>
    graph.get(file).local.filter(({ to }) => layerOf(to) >= 0)
      .filter(({ to, typesOnly }) => !isAllowed(file, to, typesOnly))
      .map(({ to, typesOnly }) =>
        `src/${file}.ts (${layers[layerOf(file)].name}) imports ${typesOnly ? "types " : ""}from ${to} (${
          layers[layerOf(to)].name
        })`
      )
  )

const foreignPackages = () =>
  files.flatMap((file) => {
    const { allowed } = packages.find(({ modules }) => modules.some(matches(file)))
    const fits = (name) => allowed.some((p) => name === p || name.startsWith(p.endsWith(":") ? p : `${p}/`))
    return graph.get(file).external.filter((name) => !fits(name)).map((name) =>
      `src/${file}.ts imports the package ${name}, which its entry point does not ask for`
    )
  })

const runTimeCycles = () => {
  const [found, finished] = [[], new Set()]
  const visit = (file, path) => {
    if (path.includes(file)) return found.push([...path.slice(path.indexOf(file)), file])
    if (finished.has(file)) return
    for (const { to, typesOnly } of graph.get(file)?.local ?? []) if (!typesOnly) visit(to, [...path, file])
    finished.add(file)
  }
  for (const file of files) visit(file, [])
  return found.map((cycle) => `modules import each other at run time: ${cycle.join(" -> ")}`)
}

const problems = [...unknownFiles(), ...upwardImports(), ...foreignPackages(), ...runTimeCycles()]
for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? `layers: ${files.length} modules in order` : `layers: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
