/**
 * Jobs that fail on purpose, for the tests of what is said then.
 */
import * as Effect from "effect/Effect"
import { ItemReader, ItemWriter, Job, JobOperator, Step } from "../../src/index.js"

export type Provoke = Effect.Effect<unknown, unknown, any>

/** Runs the flow as a job, and gives what it ended with. */
export const endOf = (name: string, flow: unknown): Provoke =>
  Effect.flatMap(
    JobOperator.run(Job.make(name, { flow: flow as any }) as any, {} as any) as Provoke,
    (execution: any) => Effect.flip(execution.exit as Effect.Effect<unknown, unknown>)
  )

export const reading = (name: string, reader: ItemReader.ItemReader<any, any, any>): Provoke =>
  endOf(name, Step.chunk("load", { reader, writer: ItemWriter.discard, chunkSize: 10 }))

export const writing = (
  name: string,
  items: ReadonlyArray<object>,
  writer: ItemWriter.ItemWriter<any, any, any>
): Provoke => endOf(name, Step.chunk("load", { reader: ItemReader.fromIterable(items), writer, chunkSize: 10 }))
