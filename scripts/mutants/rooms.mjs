/**
 * Which tests hold which room. A mutant is tried by its room's tests group by group, the quickest first: most die early.
 * The names of tests are the beginnings of paths below test/.
 */
const flows = ["engine/flow/Definition", "engine/flow/Routing", "engine/flow/Picture", "cli/pictures", "view/"]
const model = ["engine/FaultModel", "engine/SearchDeaths", "engine/StepContexts"]
const step = [
  "engine/StepLifecycle",
  "engine/flow/Endings",
  "engine/Tasklets",
  "engine/AbruptEnds",
  "engine/Listeners",
  "engine/JobContext"
]
const chunk = [
  "engine/Scan",
  "engine/Quarantine",
  "engine/Skip",
  "engine/Retry",
  "engine/Prefetch",
  "engine/ChunkCounts",
  "engine/Transact"
]
const lost = ["crash/LostCommit", "crash/InterruptedCommit"]
const life = ["engine/operate/", "engine/Launching", "engine/JobListeners", "engine/Restart", "conformance/"]
const repository = ["sql/SqlJobRepository", "sql/Races", "sql/Lasting", "sql/Batches"]
const pipelining = ["sql/Pipelining", "sql/pgPipeline", "sql/pgQuery"]
const partitioned = ["engine/partition/", "worker/", "decisions/partition"]

/** Tests that run the code in processes of their own, where nobody can see which functions they reach: tried by `--deep`. */
const crash = ["crash/Crash", "chaos/Chaos", "chaos/Turns"]
const stop = ["chaos/Shutdown", "chaos/Launch"]

const TESTERS = ["BatchTest", "Expect", "Fixture", "ReaderLaws", "Scripted", "StepTest", "WriterLaws"]

/**
 * What a room holds below src/, its tests, those of them that run it in other processes, and the share of mutants that must
 * die. A file is in the first that fits.
 */
export const rooms = {
  base: { files: ["base/"], tests: [["base/"], ["vocabulary/", "decisions/"]], floor: 80 },
  vocabulary: { files: ["vocabulary/"], tests: [["vocabulary/"], ["decisions/", "engine/StepLifecycle"]], floor: 80 },
  decisions: {
    files: ["decisions/"],
    tests: [["decisions/"], ["engine/Skip", "engine/Retry", "engine/Launching"]],
    floor: 90
  },
  definition: {
    files: ["definition/"],
    tests: [["definition/"], flows, ["engine/flow/", "engine/SystemCommand", ...step]],
    floor: 80
  },
  memory: { files: ["ports/memory"], tests: [["ports/"], [...model, ...partitioned]], floor: 80 },
  ports: { files: ["ports/"], tests: [["ports/"], partitioned, ["sql/SqlTransactor", ...repository]], floor: 80 },
  item: { files: ["item/"], tests: [["item/"], chunk], floor: 80 },
  "engine/session": {
    files: ["engine/session/"],
    tests: [["engine/session/", "engine/operate/", "engine/Telemetry"], step, life],
    processes: [...crash, ...stop],
    floor: 90
  },
  "engine/step": {
    files: ["engine/step/"],
    tests: [["engine/step/", "engine/Telemetry"], [...step, ...lost], [...model, ...pipelining]],
    processes: crash,
    floor: 90
  },
  "engine/chunk": {
    files: ["engine/chunk/"],
    tests: [["engine/chunk/", ...chunk, "engine/Events"], model, [...lost, ...pipelining]],
    processes: crash,
    floor: 90
  },
  "engine/partition": {
    files: ["engine/partition/"],
    tests: [partitioned],
    processes: ["cli/Worker"],
    floor: 80
  },
  "engine/flow": { files: ["engine/flow/"], tests: [["engine/flow/"], life], floor: 80 },
  "engine/job": {
    files: ["engine/job/"],
    tests: [["engine/job/", "engine/session/waiting", ...life], step],
    processes: stop,
    floor: 80
  },
  operator: { files: ["operator/"], tests: [["operator/"], life], processes: stop, floor: 80 },
  worker: { files: ["worker/"], tests: [["worker/"]], processes: ["cli/Worker"], floor: 80 },
  view: { files: ["view/"], tests: [["view/"], ["cli/pictures", "dashboard/Dashboard"]], floor: 80 },
  dashboard: { files: ["dashboard/"], tests: [["dashboard/pages"], ["dashboard/Dashboard"]], floor: 80 },
  api: { files: ["api/"], tests: [["api/"]], floor: 80 },
  watch: { files: ["watch/"], tests: [["watch/"]], floor: 80 },
  fences: {
    files: [
      "sql/database",
      "sql/stepRows",
      "sql/jobRows",
      "sql/partitionRows",
      "sql/pgPipeline",
      "sql/pgQuery",
      "sql/SqlTransactor",
      "sql/contention",
      "sql/nested",
      "sql/savepoints",
      "sql/openTransaction"
    ],
    tests: [["sql/SqlTransactor", ...repository], [
      "sql/nested",
      "sql/Ambient",
      "sql/savepoints",
      "sql/openTransaction",
      ...pipelining
    ]],
    processes: crash,
    floor: 90
  },
  sql: { files: ["sql/"], tests: [["sql/"]], processes: crash, floor: 80 },
  file: { files: ["file/"], tests: [["file/"], ["engine/FileRestart"]], processes: crash, floor: 80 },
  // The suite for repositories, testing/jobRepository, is what others are tried by.
  testing: {
    files: ["testing/crash/", "testing/script", ...TESTERS.map((name) => `testing/${name}`)],
    tests: [["testing/", "crash/BatchTest"], ["ports/"]],
    floor: 80
  }
}
