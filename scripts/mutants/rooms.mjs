/**
 * Which tests hold which room. A mutant is tried by its room's tests group by group, the quickest first: most die early.
 * The names of tests are the beginnings of paths below test/.
 */
const model = ["engine/FaultModel", "engine/SearchDeaths", "engine/StepContexts"]
const step = ["engine/StepLifecycle", "engine/Tasklets", "engine/AbruptEnds", "engine/Listeners", "engine/JobContext"]
const chunk = ["engine/Scan", "engine/Skip", "engine/Retry", "engine/Prefetch", "engine/ChunkCounts", "engine/Transact"]
const lost = ["crash/LostCommit", "crash/InterruptedCommit"]
const life = ["engine/operate/", "engine/Launching", "engine/JobListeners", "engine/Restart", "conformance/"]
const repository = ["sql/SqlJobRepository", "sql/Races", "sql/Batches"]
const pipelining = ["sql/Pipelining"]

/** What a room holds below src/, its tests, and the share of mutants that must die. A file is in the first that fits. */
export const rooms = {
  base: { files: ["base/"], tests: [["base/"], ["vocabulary/", "decisions/"]], floor: 80 },
  vocabulary: { files: ["vocabulary/"], tests: [["vocabulary/"], ["decisions/", "engine/StepLifecycle"]], floor: 80 },
  decisions: {
    files: ["decisions/"],
    tests: [["decisions/"], ["engine/Skip", "engine/Retry", "engine/Launching"]],
    floor: 90
  },
  definition: { files: ["definition/"], tests: [["definition/", "engine/flow/"], step], floor: 80 },
  memory: { files: ["ports/memoryDriver"], tests: [["ports/"], model], floor: 80 },
  ports: { files: ["ports/"], tests: [["ports/"], ["sql/SqlTransactor", ...repository]], floor: 80 },
  item: { files: ["item/"], tests: [["item/"], chunk], floor: 80 },
  "engine/session": {
    files: ["engine/session/"],
    tests: [["engine/session/", "engine/operate/"], step, life],
    floor: 90
  },
  "engine/step": {
    files: ["engine/step/"],
    tests: [["engine/step/"], [...step, ...lost], [...model, ...pipelining]],
    floor: 90
  },
  "engine/chunk": {
    files: ["engine/chunk/"],
    tests: [["engine/chunk/", ...chunk], model, [...lost, ...pipelining]],
    floor: 90
  },
  "engine/flow": { files: ["engine/flow/"], tests: [["engine/flow/"], life], floor: 80 },
  "engine/job": { files: ["engine/job/"], tests: [life, step], floor: 80 },
  operator: { files: ["operator/"], tests: [["operator/"], life], floor: 80 },
  fences: {
    files: [
      "sql/database",
      "sql/stepRows",
      "sql/jobRows",
      "sql/pgPipeline",
      "sql/SqlTransactor",
      "sql/contention",
      "sql/nested",
      "sql/savepoints",
      "sql/openTransaction"
    ],
    tests: [["sql/SqlTransactor", ...repository], ["sql/Ambient", ...pipelining]],
    floor: 90
  },
  sql: { files: ["sql/"], tests: [["sql/"]], floor: 80 },
  file: { files: ["file/"], tests: [["file/"], ["engine/FileRestart"]], floor: 80 },
  testing: { files: ["testing/"], tests: [["testing/", "crash/BatchTest"], ["ports/"]], floor: 80 }
}
