/**
 * From what the user planned to what is stored.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json } from "../../base/json.js"
import * as Decision from "../../decisions/partition.js"
import type { Planned } from "../../definition/Partition.js"
import type { PartitionBody } from "../../definition/tree.js"
import type { NewPartition } from "../../ports/partitions.js"
import { InvalidPartitionPlan } from "../../vocabulary/BatchError.js"

/** Encodes every input. All problems of the plan at once, those of inputs by the name of their partition. */
export const encode = (
  step: string,
  { input }: PartitionBody,
  planned: ReadonlyArray<Planned<unknown>>
): Either.Either<ReadonlyArray<NewPartition>, InvalidPartitionPlan> => {
  const problems = [...Decision.nameProblems(planned.map(({ name }) => name))]
  const encodeInput = Schema.encodeUnknownEither(input)
  const partitions: Array<NewPartition> = []
  let unfit = 0
  for (const { input, name } of planned) {
    const encoded = Either.flatMap(Either.mapLeft(encodeInput(input), ({ message }) => message), asJson)
    if (Either.isRight(encoded)) {
      partitions.push({ name, input: encoded.right })
    } else if (unfit++ < TOLD) {
      problems.push(`the input of "${name}" can't be stored: ${encoded.left}`)
    }
  }
  if (unfit > TOLD) {
    problems.push(`and ${unfit - TOLD} other inputs can't be stored`)
  }
  return problems.length === 0 ? Either.right(partitions) : Either.left(new InvalidPartitionPlan({ step, problems }))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const TOLD = 10

/** A schema may encode to something that JSON does not hold, or not exactly. */
const asJson = (value: unknown): Either.Either<Json, string> =>
  Either.flatMap(
    Either.try({ try: () => JSON.stringify(value) as string | undefined, catch: (error) => (error as Error).message }),
    (text) =>
      text === undefined || !isPlain(value)
        ? Either.left("JSON can't hold it; encode it as text or numbers")
        : Either.right(JSON.parse(text) as Json)
  )

const isPlain = (value: unknown): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value)
    case "object":
      return value === null || (Array.isArray(value)
        ? value.every(isPlain)
        : [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null) &&
          Object.values(value).every((member) => member === undefined || isPlain(member)))
    default:
      return false
  }
}
