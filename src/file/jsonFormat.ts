/**
 * JSON as written: one value a line, or the elements of one array.
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { ItemEncodeError } from "./FileError.js"
import type { Format } from "./fileSink.js"
import * as records from "./records.js"

/** @internal */
export const lines = <A>(path: string, schema: Schema.Schema<A, any> | undefined): Format<A> => {
  const encode = texts(path, schema)
  return {
    memo: null,
    lines: true,
    begin: () => "",
    encode: (memo, items, before) =>
      Either.map(encode(items, before), (values) => [values.map((value) => `${value}\n`).join(""), memo] as const),
    end: () => ""
  }
}

/** @internal */
export const array = <A>(path: string, schema: Schema.Schema<A, any> | undefined): Format<A> => {
  const encode = texts(path, schema)
  return {
    memo: null,
    lines: false,
    begin: () => "[",
    encode: (memo, items, before) =>
      Either.map(
        encode(items, before),
        (values) => [(before === 0 ? "\n" : ",\n") + values.join(",\n"), memo] as const
      ),
    end: () => "\n]\n"
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const texts = <A>(path: string, schema: Schema.Schema<A, any> | undefined) => {
  const encoder = records.encoder(schema, (_encoded): _encoded is unknown => true, "")
  return (items: ReadonlyArray<A>, before: number): Either.Either<ReadonlyArray<string>, ItemEncodeError> => {
    const values: Array<string> = []
    for (let i = 0; i < items.length; i++) {
      const text = Either.flatMap(encoder(items[i]), stringify)
      if (Either.isLeft(text)) {
        return Either.left(new ItemEncodeError({ path, item: before + i + 1, problem: text.left }))
      }
      values.push(text.right)
    }
    return Either.right(values)
  }
}

const stringify = (value: unknown): Either.Either<string, string> => {
  try {
    const text = JSON.stringify(value) as string | undefined
    return text === undefined ? Either.left("it has no form in JSON") : Either.right(text)
  } catch {
    return Either.left("it has no form in JSON: it holds a bigint or itself")
  }
}
