/**
 * Chunks that are sent one right behind the other, to a server that is played: it forgets what it had prepared, or is lost,
 * before or behind a commit, at any message. Its fence is that of the repository.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Runtime from "effect/Runtime"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Step,
  Transactor
} from "../../../src/index.js"
import * as Pipelining from "../../../src/ports/pipelining.js"

/**
 * What becomes of a message. `forgotten`: the server does not know its statements any more, so that the connection sends it
 * once more, behind those that are on their way.
 */
type Fate = "carried out" | "forgotten" | "lost before the commit" | "lost behind the commit"

interface Message {
  readonly items: ReadonlyArray<number>
  readonly save: Effect.Effect<string, unknown>
  readonly last: Pipelining.Pipelined<any, any>
  readonly resume: (answer: Effect.Effect<any, any>) => void
  fate: Fate
}

const lost = new BatchError.TransactionError({ reason: "transient", phase: "commit", cause: new Error("gone") })

const makeServer = (fates: ReadonlyArray<Fate>) =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const written: Array<number> = []
    const queue: Array<Message> = []
    let sent = 0
    const carryOut = ({ items, last, save }: Message): Effect.Effect<any, any> => {
      const exit = Runtime.runSyncExit(runtime)(save)
      if (Exit.isFailure(exit)) {
        return Effect.mapError(exit, (error) => last.refused(error as never))
      }
      written.push(...items)
      const answer = last.answer([exit.value])
      return Either.isRight(answer) ? Effect.succeed(answer.right) : Effect.fail(answer.left)
    }
    const next = () => {
      const message = queue.shift()!
      switch (message.fate) {
        case "forgotten":
          message.fate = "carried out"
          queue.push(message)
          setImmediate(next)
          return
        case "carried out":
          message.resume(carryOut(message))
          break
        default:
          if (message.fate === "lost behind the commit") {
            carryOut(message)
          }
          for (const gone of [message, ...queue.splice(0)]) {
            gone.resume(Effect.fail(lost))
          }
      }
      if (queue.length > 0) {
        setImmediate(next)
      }
    }
    const connection: Pipelining.PipelineConnection = {
      isBusy: () => queue.length > 0,
      transact: (first, last) =>
        Effect.async((resume) => {
          queue.push({
            items: first.flatMap(({ commands }) => commands as ReadonlyArray<number>),
            save: last.commands[0] as Message["save"],
            last,
            resume,
            fate: fates[sent++] ?? "carried out"
          })
          if (queue.length === 1) {
            setImmediate(next)
          }
        })
    }
    return { written, connection }
  })

/** The memory, which takes pipelines of that server. */
const pipelined = <A, E, R>(
  connection: Pipelining.PipelineConnection,
  use: (writer: ItemWriter.ItemWriter<number>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const database = {}
    const repository = yield* JobRepository.JobRepository
    const { transact } = yield* Transactor.Transactor
    const wrapped: typeof transact = (effect, options) => transact(effect, options)
    const update: typeof repository.updateStepExecution = (...args) => repository.updateStepExecution(...args)
    const writer = ItemWriter.make("sent", {
      delivery: "transactional",
      open: () =>
        Effect.succeed({
          write: Pipelining.withPipelinedWrite((_: ReadonlyArray<number>) => Effect.die("not sent"), {
            database,
            encode: (items) =>
              Effect.succeed({
                commands: items,
                answer: () => Either.void,
                refused: (error: unknown) => error as never
              })
          })
        })
    })
    const save: Pipelining.PipelinedSave = {
      database,
      encode: (execution, step, before) =>
        Effect.succeed({
          commands: [repository.updateStepExecution(execution, step, before)],
          answer: (row) => Either.right(row![0] as never),
          refused: (error: unknown) => error as never
        })
    }
    return yield* use(writer).pipe(
      Effect.provideService(JobRepository.JobRepository, {
        ...repository,
        updateStepExecution: Pipelining.withPipelinedSave(update, save)
      }),
      Effect.provideService(Transactor.Transactor, {
        transact: Pipelining.withPipeline(wrapped, { database, connect: () => connection })
      })
    )
  })

const numbers = Array.from({ length: 11 }, (_, index) => index)

const fate: FastCheck.Arbitrary<Fate> = FastCheck.constantFrom<Array<Fate>>(
  "carried out",
  "carried out",
  "carried out",
  "forgotten",
  "lost before the commit",
  "lost behind the commit"
)

describe("chunks that are sent one right behind the other", () => {
  it.effect.prop(
    "are written and counted once, whatever becomes of their messages (TX-1, D18)",
    [FastCheck.array(fate, { maxLength: 10 })],
    ([fates]) =>
      Effect.gen(function*() {
        const { connection, written } = yield* makeServer(fates)
        const ended = yield* pipelined(connection, (writer) =>
          JobOperator.run(
            Job.make("sent", {
              flow: Step.chunk("load", { reader: ItemReader.fromIterable(numbers), writer, chunkSize: 2 }).pipe(
                Step.retry("TransactionError", { times: 20 })
              )
            }),
            {}
          ))
        assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
        assert.deepStrictEqual(written, numbers)
        const [step] = yield* JobOperator.steps(ended.id)
        assert.deepStrictEqual([step!.counts.read, step!.counts.write, step!.counts.commit], [11, 11, 6])
      }).pipe(Effect.provide(JobRepository.layerMemory)),
    { fastCheck: { numRuns: 60 } }
  )
})
