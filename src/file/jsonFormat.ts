/**
 * JSON as written: one value a line, or the elements of one array.
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { ItemEncodeError } from "./FileError.js"
import type { Format } from "./fileSink.js"
import { stringify } from "./jsonText.js"
import * as records from "./records.js"

/** @internal */
export const lines = <A>(path: string, schema: Schema.Schema<A, any> | undefined): Format<A> => {
  const encode = texts(path, schema)
  return {
    memo: null,
    lineEnding: "\n",
    begin: () => "",
    encode: (memo, items, before) =>
      Either.map(encode(items, before, (text) => `${text}\n`), (all) => [all, memo] as const),
    end: () => ""
  }
}

/** @internal */
export const array = <A>(path: string, schema: Schema.Schema<A, any> | undefined): Format<A> => {
  const encode = texts(path, schema)
  return {
    memo: null,
    begin: () => "[",
    encode: (memo, items, before) =>
      Either.map(
        encode(items, before, (text, number) => (number === 0 ? "\n" : ",\n") + text),
        (all) => [all, memo] as const
      ),
    end: () => "\n]\n"
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const texts = <A>(path: string, schema: Schema.Schema<A, any> | undefined) => {
  const encoder = records.encoder(schema, (_encoded): _encoded is unknown => true, "")
  return (
    items: ReadonlyArray<A>,
    before: number,
    layOut: (text: string, number: number) => string
  ): Either.Either<ReadonlyArray<string>, ItemEncodeError> => {
    const fail = (i: number, column: string | undefined, problem: string) =>
      Either.left(new ItemEncodeError({ path, item: before + i + 1, column, problem }))
    const found: Array<string> = []
    for (let i = 0; i < items.length; i++) {
      const encoded = encoder(items[i])
      if (Either.isLeft(encoded)) {
        return fail(i, encoded.left.key, encoded.left.problem)
      }
      const text = stringify(encoded.right)
      if (Either.isLeft(text)) {
        return fail(i, text.left.member, text.left.problem)
      }
      found.push(layOut(text.right, before + i))
    }
    return Either.right(found)
  }
}
