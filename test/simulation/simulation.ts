/**
 * One run: a partitioned job, processes that run it and its partitions, and faults; then what must hold.
 *
 * Whoever starts a job in production starts it again when it has not completed: a scheduler, a node of a cluster. That is all the
 * help there is here, too. Nobody recovers, abandons or looks at anything.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { globalValue } from "effect/GlobalValue"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { seeded } from "../../src/base/random.js"
import * as Running from "../../src/engine/session/running.js"
import {
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  PartitionWorker,
  Step,
  StepScope,
  Transactor
} from "../../src/index.js"
import type { Encoded } from "../../src/ports/JobRepository.js"
import { JobInstanceAlreadyComplete } from "../../src/vocabulary/BatchError.js"
import type { BatchEvent } from "../../src/vocabulary/BatchEvent.js"
import { describe } from "../../src/vocabulary/failure.js"
import type { Connection, Database, Flaw } from "./database.js"
import * as Database_ from "./database.js"
import type { Fault } from "./faults.js"
import type { Machine, Process } from "./machine.js"
import * as Machine_ from "./machine.js"

export interface Scenario {
  readonly seed: number
  readonly faults: ReadonlyArray<Fault>
  readonly partitions: number
  /** Items of each partition, in chunks of two. */
  readonly items: number
  readonly slots: number
  readonly workers: number
  readonly workerSlots: number
  readonly onFailure: "continue" | "stop"
  readonly stickiness: number
}

export interface Flaws {
  readonly driver?: Flaw | undefined
  readonly isUnlocked?: boolean | undefined
  /** After so many pieces of work nobody waits for the end any more. */
  readonly mostTicks?: number | undefined
}

export interface Result {
  readonly violations: ReadonlyArray<string>
  /** The faults that struck, in order, with what they struck. */
  readonly struck: ReadonlyArray<Fault["kind"]>
  readonly trace: ReadonlyArray<string>
  readonly ticks: number
  readonly executions: number
}

const LEASE = 10_000
const CHUNK = 2
/** How long a chunk takes to read, at most. */
const READ = 1000
const GRACE = 5000

interface Row {
  readonly partition: string
  readonly item: number
  readonly execution: number
}

class Here extends Context.Tag("Here")<Here, Node>() {}

/** A process with what runs in it. */
interface Node {
  readonly process: Process
  readonly connection: Connection
  readonly kind: "runner" | "worker" | "operator"
  readonly context: Context.Context<any>
  /** Tells it to end, as SIGTERM does. */
  leave: (() => void) | undefined
}

interface World {
  readonly scenario: Scenario
  readonly random: (below: number) => number
  readonly machine: Machine
  readonly database: Database
  readonly nodes: Set<Node>
  readonly rows: Array<Row>
  readonly struck: Array<Fault["kind"]>
  readonly trace: Array<string>
  readonly violations: Set<string>
  /** Partitions whose next write fails. */
  readonly broken: Set<string>
  /** When executions of the job were asked to stop. */
  readonly stops: Map<number, number>
  readonly job: Job.Job.Any
  isDone: boolean
  /** It was complete, and somebody had it deleted since. */
  isForgotten: boolean
  count: number
}

export const run = (scenario: Scenario, flaws: Flaws = {}): Result => inNoTime(() => simulate(scenario, flaws))

/** Without the clock by which the engine gives the event loop a turn: nothing of a run waits for that. Nobody reads stacks. */
const inNoTime = <A>(work: () => A): A => {
  const { now } = performance
  const before = new Set(roots())
  const { stackTraceLimit } = Error
  performance.now = () => 0
  Error.stackTraceLimit = 0
  try {
    return work()
  } finally {
    performance.now = now
    roots().forEach((fiber) => before.has(fiber) || roots().delete(fiber))
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Where Effect keeps fibers that nobody has forked: the dead would stay there for ever. */
const roots = (): Set<unknown> =>
  globalValue(Symbol.for("effect/FiberScope/Global"), () => ({ roots: new Set<unknown>() })).roots

const simulate = (scenario: Scenario, flaws: Flaws): Result => {
  const random = seeded(scenario.seed ^ 0x5bd1e995)
  const machine = Machine_.make(random, scenario.stickiness)
  const world: World = {
    scenario,
    random,
    machine,
    database: undefined as never,
    nodes: new Set(),
    rows: [],
    struck: [],
    trace: [],
    violations: new Set(),
    broken: new Set(),
    stops: new Map(),
    job: undefined as never,
    isDone: false,
    isForgotten: false,
    count: 0
  }
  const flaw: Flaw = (driver) => forgetting(world)(flaws.driver?.(driver) ?? driver)
  Object.assign(world, {
    job: jobOf(world),
    database: Database_.make({ machine, flaw, isUnlocked: flaws.isUnlocked ?? false })
  })
  startRunner(world)
  Array.from({ length: scenario.workers }, () => startWorker(world))
  const waiting = [...scenario.faults]
  while (waiting.length > 0 && !world.isDone) {
    while (waiting.length > 0 && waiting[0]!.at <= machine.ticks()) {
      strike(world, waiting.shift()!)
    }
    if (!machine.step() || machine.now() > PATIENCE) {
      break
    }
  }
  calm(world, flaws.mostTicks ?? MOST_TICKS)
  if (!world.isForgotten) {
    check(world)
  }
  return {
    violations: [...world.violations],
    struck: world.struck,
    trace: world.trace,
    ticks: machine.ticks(),
    executions: allExecutions(world).length
  }
}

// -------------------------------------------------------------------------------------
// the job
// -------------------------------------------------------------------------------------

const nameOf = (at: number): string => `p${at}`

const jobOf = (world: World): Job.Job.Any => {
  const { items, onFailure, partitions, slots } = world.scenario
  return Job.make("job", {
    flow: Step.partition("load", {
      plan: Effect.sync(() => Array.from({ length: partitions }, (_, at) => ({ name: nameOf(at), input: at }))),
      input: Schema.Number,
      step: (at) =>
        Step.chunk("rows", {
          reader: readerOf(items, 1 + (at * 337) % READ),
          writer: writerOf(world, nameOf(at)),
          chunkSize: CHUNK
        }),
      concurrency: slots,
      onPartitionFailure: onFailure,
      version: "1"
    })
  }) as Job.Job.Any
}

const readerOf = (count: number, millis: number): ItemReader.ItemReader<number> =>
  ItemReader.make("numbers", (from) =>
    Effect.sync(() => {
      let next = Option.match(from, { onNone: () => 1, onSome: Number })
      return {
        pull: (max: number) =>
          Effect.map(Effect.sleep(millis), (): ItemReader.Page<number> => {
            const items = Array.from({ length: Math.min(max, count + 1 - next) }, (_, at) => next + at)
            next += items.length
            return { items, position: next, failure: Option.none(), done: next > count }
          })
      }
    }))

/** Writes in the transaction of the chunk, as a table of the same database would be written. */
const writerOf = (world: World, partition: string): ItemWriter.ItemWriter<number, string, Here | StepScope.StepScope> =>
  ItemWriter.make("table", {
    delivery: "transactional",
    open: () =>
      Effect.map(Effect.context<Here | StepScope.StepScope>(), (context) => ({
        write: (items: ReadonlyArray<number>) =>
          Effect.gen(function*() {
            const { connection, process } = Context.get(context, Here)
            const { jobExecutionId: execution } = yield* Context.get(context, StepScope.StepScope).execution
            if (world.broken.delete(partition)) {
              return yield* Effect.fail("broken")
            }
            const rows = items.map((item): Row => ({ partition, item, execution }))
            const insert = Effect.zipRight(
              Effect.sync(() => void world.rows.push(...rows)),
              Transactor.onRollback(
                Effect.sync(() => rows.forEach((row) => world.rows.splice(world.rows.lastIndexOf(row), 1)))
              )
            )
            yield* Effect.orDie(connection.statement(insert))
            heed(world, process, execution)
          })
      }))
  }) as any

/** Who was asked to stop, and was not frozen since, commits no more than the chunk that it was at. */
const heed = (world: World, process: Process, executionId: number): void => {
  if (world.stops.size === 0) {
    return
  }
  const [execution] = Effect.runSync(world.database.driver.findJobExecutions({ ids: [executionId] }))
  const parent = execution?.parentExecutionId ?? -1
  // A stop holds until the job is run again: that run follows what still runs.
  const isNewest = rootExecutions(world).every(({ id }) => id <= parent)
  const since = isNewest ? world.stops.get(parent) : undefined
  // It hears of it with its next heartbeat at the latest, and reads no further.
  const limit = LEASE / 4 + READ
  if (since === undefined || process.frozenAt >= since || world.database.outageUntil >= since) {
    return
  }
  if (world.machine.now() - since > limit) {
    world.violations.add(
      `${process.name} writes ${world.machine.now() - since} ms behind the request to stop ${parent}`
    )
  }
}

// -------------------------------------------------------------------------------------
// processes
// -------------------------------------------------------------------------------------

const note = (world: World, text: string): void => {
  if (world.trace.length < LINES) {
    world.trace.push(`${String(world.machine.now()).padStart(8)} ms  ${text}`)
  }
}

/** Of a trace; what goes on for ever says nothing new. */
const LINES = 200

const boot = (world: World, kind: Node["kind"]): Node => {
  const { database, machine, random } = world
  const process = machine.spawn(`${kind} ${++world.count}`, random(2))
  const connection = database.connect(process)
  // What is known of processes of the same machine.
  const isOwnerGone = (owner: string) => gone.get(world)?.has(`${process.host} ${owner}`) === true
  const node: Node = {
    process,
    connection,
    kind,
    leave: undefined,
    context: Context.make(JobRepository.JobRepository, connection.repository).pipe(
      Context.add(Transactor.Transactor, connection.transactor),
      Context.add(JobOperator.Ownership, { lease: LEASE, owner: process.name, isOwnerGone }),
      Context.add(JobOperator.StopGrace, GRACE),
      Context.add(JobOperator.Events, Effect.runSync(PubSub.sliding<BatchEvent>(1))),
      Context.add(Running.Running, Running.make())
    )
  }
  world.nodes.add(node)
  return node
}

const gone = new WeakMap<World, Set<string>>()

const start = <A, E>(
  world: World,
  node: Node,
  program: Effect.Effect<A, E, any>,
  ended: (exit: Exit.Exit<A, E>) => void
) => {
  const { clock, scheduler } = node.process
  const effect = program.pipe(
    Effect.provide(Context.add(node.context, Here, node)),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.withClock(clock)
  ) as Effect.Effect<A, E>
  const fiber = Effect.runFork(effect, { scheduler, immediate: false })
  fiber.addObserver((exit) => {
    ended(exit)
  })
}

/** The process ends by itself. */
const exit = (world: World, node: Node): void => {
  world.nodes.delete(node)
  world.machine.kill(node.process)
  world.database.cut(node.process)
}

/** Whoever runs the job begins again, until it is complete. */
const startRunner = (world: World): void => {
  if (world.isDone) {
    return
  }
  const node = boot(world, "runner")
  note(world, `${node.process.name} runs the job`)
  start(world, node, JobOperator.run(world.job as any, {} as never), (result) => {
    exit(world, node)
    const said = Exit.isSuccess(result) ? result.value.status : describe(result.cause)
    note(world, `${node.process.name} ended: ${said}`)
    const isComplete = Exit.isSuccess(result)
      ? result.value.status === "COMPLETED"
      : Option.exists(Cause.failureOption(result.cause), (error) => error instanceof JobInstanceAlreadyComplete)
    if (isComplete) {
      world.isDone = true
    } else {
      again(world, 1000)
    }
  })
}

const again = (world: World, millis: number): void => {
  world.machine.after(1 + world.random(millis), () => {
    if ([...world.nodes].every(({ kind, process }) => kind !== "runner" || process.state !== "alive")) {
      startRunner(world)
    }
  })
}

const startWorker = (world: World): void => {
  const node = boot(world, "worker")
  note(world, `${node.process.name} joins`)
  const program = Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.extend(
      Layer.build(PartitionWorker.layer([world.job] as any, { slots: world.scenario.workerSlots })),
      scope
    )
    const told = Effect.async<void>((resume) => {
      node.leave = () => resume(Effect.void)
    })
    yield* told
    yield* Scope.close(scope, Exit.void)
  })
  start(world, node, program, () => exit(world, node))
}

/** Somebody else who does one thing. */
const operate = (world: World, program: Effect.Effect<unknown, unknown, any>): void => {
  const node = boot(world, "operator")
  start(world, node, program, () => exit(world, node))
}

// -------------------------------------------------------------------------------------
// faults
// -------------------------------------------------------------------------------------

/** Of parts of a job, which stay as long as it does; of all that has ended; or of what is complete. */
const purgeOf = (amount: number): Effect.Effect<unknown, unknown, any> => {
  switch (amount % 4) {
    case 0:
      return purgeParts(["COMPLETED"])
    case 1:
      return purgeParts(undefined)
    case 2:
      return JobOperator.purge({ statuses: ["COMPLETED", "ABANDONED", "FAILED", "STOPPED", "UNKNOWN"] })
    default:
      return JobOperator.purge({})
  }
}

const purgeParts = (statuses: ReadonlyArray<"COMPLETED"> | undefined) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) =>
    Effect.flatMap(
      repository.jobExecutions({ jobName: "job/load", statuses, limit: 1000 }),
      (parts) => repository.deleteJobExecutions(parts.map(({ id }) => id))
    ))

/**
 * Whoever has a job forgotten wants it to run from the beginning, and so removes what it wrote. One that was complete has to hold
 * what it promises now; what somebody runs then is another job.
 */
const forgetting = (world: World) => (driver: Encoded): Encoded => ({
  ...driver,
  deleteJobExecutions: (ids) =>
    Effect.suspend(() => {
      const roots = () => rootExecutions(world)
      const before = roots()
      if (!world.isForgotten && before.some(({ id, status }) => status === "COMPLETED" && ids.includes(id))) {
        check(world)
        world.isForgotten = world.isDone = true
      }
      return Effect.tap(driver.deleteJobExecutions(ids), () =>
        Effect.sync(() => {
          if (before.length > 0 && roots().length === 0) {
            world.rows.length = 0
            world.stops.clear()
          }
        }))
    })
})

const die = (world: World, node: Node): void => {
  const known = gone.get(world) ?? new Set()
  gone.set(world, known.add(`${node.process.host} ${node.process.name}`))
  exit(world, node)
  if (node.kind === "runner") {
    again(world, LEASE)
  }
}

const strike = (world: World, fault: Fault): void => {
  const { database, machine } = world
  const mortals = [...world.nodes].filter(({ kind, process }) => kind !== "operator" && process.state === "alive")
  const node = mortals[fault.victim % Math.max(1, mortals.length)]
  const hit = (what: string) => {
    world.struck.push(fault.kind)
    note(world, `${fault.kind}: ${what}`)
  }
  switch (fault.kind) {
    case "join": {
      if (world.nodes.size < 50) {
        hit("")
        startWorker(world)
      }
      return
    }
    case "outage": {
      hit(`${fault.amount} ms`)
      database.outageUntil = machine.now() + fault.amount
      return
    }
    case "clock": {
      hit(`of the database by ${fault.amount - 20_000} ms`)
      database.jump += fault.amount - 20_000
      return
    }
    case "error": {
      const partition = nameOf(fault.victim % world.scenario.partitions)
      hit(partition)
      world.broken.add(partition)
      return
    }
    case "stop": {
      const running = rootExecutions(world).find(({ status }) => status === "STARTED")
      if (running !== undefined) {
        hit(`execution ${running.id}`)
        operate(
          world,
          Effect.tap(JobOperator.stop(running.id), () => Effect.sync(() => world.stops.set(running.id, machine.now())))
        )
      }
      return
    }
    case "purge": {
      hit("")
      operate(world, purgeOf(fault.amount))
      return
    }
    case "recover": {
      hit("")
      operate(world, JobOperator.recoverExpired())
      return
    }
  }
  if (node === undefined) {
    return
  }
  const { connection, process } = node
  switch (fault.kind) {
    case "kill": {
      hit(process.name)
      return die(world, node)
    }
    case "freeze": {
      hit(`${process.name} for ${fault.amount} ms`)
      machine.freeze(process)
      database.cut(process)
      machine.after(fault.amount, () => {
        if (process.state === "frozen") {
          note(world, `${process.name} goes on`)
          machine.thaw(process)
          database.wake()
        }
      })
      if (node.kind === "runner") {
        again(world, 2 * LEASE)
      }
      return
    }
    case "skew": {
      hit(`${process.name} by ${fault.amount - 20_000} ms`)
      process.skew += fault.amount - 20_000
      return
    }
    case "unanswered":
    case "lost": {
      hit(`the next commit of ${process.name}`)
      connection.next.commit = fault.kind
      return
    }
    case "leave": {
      if (node.leave !== undefined) {
        hit(process.name)
        node.leave()
        node.leave = undefined
      }
      return
    }
  }
}

// -------------------------------------------------------------------------------------
// what must hold
// -------------------------------------------------------------------------------------

/** Twenty minutes, and so many pieces of work. */
const PATIENCE = 20 * 60 * 1000
const MOST_TICKS = 300_000

/** No more faults: everybody goes on, a worker is there, the job is run again until it is complete. */
const calm = (world: World, mostTicks: number): void => {
  const { database, machine, nodes } = world
  for (const { process } of nodes) {
    machine.thaw(process)
  }
  database.wake()
  startWorker(world)
  if (![...nodes].some(({ kind }) => kind === "runner")) {
    startRunner(world)
  }
  const until = machine.now() + PATIENCE
  const most = machine.ticks() + mostTicks
  const goOn = (isOver: () => boolean, end: number) => {
    while (!isOver() && machine.now() <= end && machine.ticks() < most && machine.step()) {
      // Everything happens in there.
    }
  }
  goOn(() => world.isDone, until)
  if (!world.isDone) {
    world.violations.add("the job does not end: somebody would have to look after it")
  }
  const settled = machine.now() + 4 * LEASE
  goOn(() => machine.now() >= settled, settled)
}

const allExecutions = ({ database }: World) =>
  Effect.runSync(database.driver.findJobExecutions({ limit: Number.MAX_SAFE_INTEGER }))

/** Those of the job itself, however many of its partitions there are. */
const rootExecutions = ({ database: { driver } }: World) => {
  const [instance] = Effect.runSync(driver.findJobInstances({ jobName: "job", jobKey: ROOT_KEY }))
  return instance === undefined
    ? []
    : Effect.runSync(driver.findJobExecutions({ instanceId: instance.id, limit: Number.MAX_SAFE_INTEGER }))
}

const ROOT_KEY = JobParameters.jobKey([])

const check = (world: World): void => {
  const { database, rows, scenario: { items, partitions }, violations } = world
  const byPartition = new Map<string, Array<Row>>()
  for (const row of rows) {
    const others = byPartition.get(row.partition)
    others === undefined ? byPartition.set(row.partition, [row]) : others.push(row)
  }
  const executions = [...allExecutions(world)].sort((a, b) => a.id - b.id)
  const names = Array.from({ length: partitions }, (_, at) => nameOf(at))
  for (const name of names) {
    const written = byPartition.get(name) ?? []
    const numbers = written.map(({ item }) => item)
    for (let item = 1; item <= items; item++) {
      const times = numbers.filter((other) => other === item).length
      if (times !== 1) {
        violations.add(`item ${item} of ${name} was written ${times} times`)
      }
    }
    if (written.some((row, at) => at > 0 && row.execution < written[at - 1]!.execution)) {
      violations.add(`${name} was written by an execution that others had taken over`)
    }
  }
  const roots = executions.filter(({ parentExecutionId }) => parentExecutionId === null)
  const byInstance = new Map<number, Array<string>>()
  for (const { instance, parentExecutionId, status } of executions) {
    if (parentExecutionId !== null) {
      byInstance.set(instance.id, [...byInstance.get(instance.id) ?? [], status])
    }
  }
  if (byInstance.size !== partitions) {
    violations.add(`${byInstance.size} of ${partitions} partitions have executions`)
  }
  for (const [instance, statuses] of byInstance) {
    if (statuses.filter((status) => status === "COMPLETED").length !== 1 || statuses.at(-1) !== "COMPLETED") {
      violations.add(`partition instance ${instance} ended as ${statuses.join(", ")}`)
    }
  }
  const running = executions.filter(({ status }) => ["STARTING", "STARTED", "STOPPING"].includes(status))
  running.forEach(({ id, status }) => violations.add(`execution ${id} is ${status} when all is over`))
  const last = roots.at(-1)
  // Of which nothing is left to do since.
  const done = roots.flatMap(({ id }) => Effect.runSync(database.driver.findStepExecutions(id))).filter(({ status }) =>
    status === "COMPLETED"
  )
  if (last?.status !== "COMPLETED" || roots.filter(({ status }) => status === "COMPLETED").length !== 1) {
    violations.add(`the job ended as ${roots.map(({ status }) => status).join(", ")}`)
  } else {
    const [step] = done
    if (done.length !== 1) {
      violations.add(`the step was completed ${done.length} times`)
    }
    const total = items * partitions
    if (step?.readCount !== total || step.writeCount !== total) {
      violations.add(`the step says ${step?.readCount} read, ${step?.writeCount} written of ${total}`)
    }
  }
}
