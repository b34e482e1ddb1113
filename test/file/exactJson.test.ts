/**
 * JSON keeps every value as it is, or says which one it cannot keep.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Hash from "effect/Hash"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Json } from "../../src/base/json.js"
import * as names from "../../src/base/jsonNames.js"
import * as JsonItemReader from "../../src/file/JsonItemReader.js"
import * as JsonItemWriter from "../../src/file/JsonItemWriter.js"
import * as numbers from "../../src/file/jsonNumbers.js"
import { stringify } from "../../src/file/jsonText.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import * as NdjsonItemWriter from "../../src/file/NdjsonItemWriter.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const path = "x.json"

/** Writes one item a chunk, and dies after some of them with the next one half written. */
const write = (
  files: MemoryFiles,
  writer: ItemWriter.ItemWriter<unknown, any, any>,
  items: ReadonlyArray<unknown>,
  crashAfter = 0
) =>
  Effect.gen(function*() {
    let state: Option.Option<Json> = Option.none()
    const life = (from: number, to: number) =>
      Effect.scoped(Effect.gen(function*() {
        const sink = yield* writer.open(state)
        for (const item of items.slice(from, to)) {
          yield* sink.write([item])
          state = Option.some(JSON.parse(JSON.stringify(yield* sink.flush!)))
          yield* sink.committed!
        }
        yield* to === items.length ? sink.complete! : Effect.zipRight(sink.write([items[to]]), sink.flush!)
      }))
    const middle = Math.min(crashAfter, items.length - 1)
    yield* middle > 0 ? Effect.zipRight(life(0, middle), life(middle, items.length)) : life(0, items.length)
  }).pipe(Effect.provide(files.layer))

const formats = {
  NDJSON: [NdjsonItemWriter.make<unknown>(path), NdjsonItemReader.make(path)],
  JSON: [JsonItemWriter.array<unknown>(path), JsonItemReader.array(path)]
} as const

const plain = FastCheck.letrec((tie) => ({
  value: FastCheck.oneof(
    { depthSize: "small" },
    FastCheck.constantFrom(null, true, false, -0, 0, 5e-324, 1.7976931348623157e308, 2 ** 53 + 2, "\uD800", "a\uDFFFb"),
    FastCheck.double({ noNaN: true, noDefaultInfinity: true }),
    FastCheck.string16bits({ maxLength: 5 }),
    FastCheck.array(tie("value"), { maxLength: 3 }),
    FastCheck.dictionary(
      FastCheck.oneof(
        FastCheck.string16bits({ maxLength: 3 }),
        FastCheck.constantFrom("__proto__", "toString", "constructor", "")
      ),
      tie("value"),
      { maxKeys: 3, noNullPrototype: true }
    )
  )
})).value

class Money {
  readonly #cents = 1
  get cents() {
    return this.#cents
  }
}

class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {}

const loop: { self?: unknown } = {}
loop.self = loop

let deep: unknown = 1
for (let i = 0; i < 100_000; i++) {
  deep = [deep]
}

describe("JSON as it is written", () => {
  for (const [name, [writer, reader]] of Object.entries(formats)) {
    it.effect.prop(`${name}: whatever the value, it is read back as it was, also after a crash (OWN-24, ITEM-20)`, [
      FastCheck.array(plain, { minLength: 1, maxLength: 5 }),
      FastCheck.nat({ max: 4 })
    ], ([items, crashAfter]) =>
      Effect.gen(function*() {
        const files = new MemoryFiles()
        yield* write(files, writer, items, crashAfter)
        const found = yield* Effect.provide(readAll(reader), files.layer)
        assert.deepStrictEqual(failuresOf(found), [])
        assert.deepStrictEqual(itemsOf(found), items)
      }))
  }

  it.effect.each([
    ["a Redacted", Redacted.make("hunter2"), "x is a Redacted; encode it by a schema"],
    ["a Map", new Map([[1, 2]]), "x is a Map; encode it by a schema"],
    ["a Set", new Set([1]), "x is a Set"],
    ["a class that shows nothing", new Money(), "x is a Money"],
    ["a HashMap", HashMap.make(["a", 1]), "x is a"],
    ["an Option", Option.some(1), "x is a"],
    ["an Either", Either.left(1), "x is a"],
    ["a Duration", Duration.seconds(1), "x is a"],
    ["an error", new Error("x"), "x is an Error"],
    ["a URL", new URL("http://x"), "x is an URL"],
    ["bytes", new Uint8Array(2), "x is an Uint8Array"],
    ["a regular expression", /x/, "x is a RegExp"],
    ["an object of a text", Object("a"), "x is a String"],
    ["a promise", Promise.resolve(1), "x is a Promise"],
    ["NaN", NaN, "x is the number NaN"],
    ["an infinite number", -Infinity, "x is the number -Infinity"],
    ["a bigint", 1n, "x is a bigint"],
    ["a symbol", Symbol("s"), "x is a symbol"],
    ["a function", () => 1, "x is a function"],
    ["a date that is none", new Date(NaN), "x is a date that is not valid"],
    ["undefined in an array", [1, undefined], "x[1] is undefined"],

    ["a hole in an array", [1, , 2], "x[1] is undefined"],
    [
      "a name that is a symbol",
      { [Symbol("s")]: 1 },
      "x is an object with a member whose name is a symbol (Symbol(s))"
    ],
    [
      "a symbol in an array",
      [Object.assign([1], { [Symbol.for("t")]: 1 })],
      "x[0] is an array with a member whose name is a symbol (Symbol(t))"
    ],
    [
      "a name in an array",
      Object.assign([1, 2], { total: 3 }),
      "x is an array with a member named \"total\" beside its elements"
    ],
    ["what a regular expression found", /a/.exec("ba"), "x is an array with a member named \"index\""],
    ["something deep inside", [{ "a b": { c: new Map() } }], "x[0][\"a b\"].c is a Map"],
    ["itself", loop, "it holds itself, or is nested too deeply"],
    ["too many arrays in each other", deep, "it holds itself, or is nested too deeply"]
  ])("%s is refused by item and member (OWN-24)", ([, x, message]) =>
    Effect.gen(function*() {
      for (const [writer] of Object.values(formats)) {
        const sink = yield* writer.open(Option.none())
        yield* sink.write([{ id: 1 }])
        const error = yield* Effect.flip(sink.write([{ id: 2, x }]))
        assert.include(error.message, `Item 2 cannot be written to "${path}": `)
        assert.include(error.message, message)
        assert.notInclude(error.message, "hunter2")
        assert(error._tag === "ItemEncodeError")
        assert.strictEqual(error.column?.startsWith("x") ?? false, /\bx(\[|\.| is)/.test(message))
      }
    }).pipe(Effect.scoped, Effect.provide(new MemoryFiles().layer)))

  it.effect("what nobody is meant to see does not count: hidden members, the hash of Effect, getters of a class (OWN-24)", () =>
    Effect.gen(function*() {
      for (const [writer, reader] of Object.values(formats)) {
        const files = new MemoryFiles()
        const hidden = Object.defineProperty({ a: 1 }, Symbol("s"), { value: 1, enumerable: false })
        const hashed = Data.struct({ a: 1 })
        Hash.hash(hashed)
        yield* write(files, writer, [hidden, hashed, { a: 1, b: undefined }])
        assert.deepStrictEqual(itemsOf(yield* Effect.provide(readAll(reader), files.layer)), [{ a: 1 }, { a: 1 }, {
          a: 1
        }])
      }
    }))

  it.effect("a schema does not drop what it does not know either (OWN-24)", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ a: Schema.Number, n: Schema.optional(Schema.Struct({ b: Schema.Number })) })
      const hashed = Data.struct({ a: 1 })
      Hash.hash(hashed)
      for (
        const writer of [NdjsonItemWriter.make(path, { schema }), JsonItemWriter.array(path, { schema })]
      ) {
        const sink = yield* writer.open(Option.none())
        yield* sink.write([hashed])
        for (
          const [item, name] of [
            [{ a: 1, c: 2 }, "c"],
            [{ a: 1, n: { b: 1, c: 2 } }, "n"],
            [{ a: 1, [Symbol("s")]: 2 }, "Symbol(s)"],
            [Object.assign(Data.struct(hashed), { c: 2 }), "c"]
          ] as const
        ) {
          const error = yield* Effect.flip(sink.write([item as { readonly a: number }]))
          assert(error._tag === "ItemEncodeError")
          assert.strictEqual(error.column, name)
          assert.include(error.message, "is unexpected, expected: ")
        }
      }
    }).pipe(Effect.scoped, Effect.provide(new MemoryFiles().layer)))

  it("more text than a text can be is refused (OWN-24)", () => {
    const half = "\u0001".repeat(2 ** 26)
    const found = Either.getLeft(stringify([half, half]))
    assert.include(Option.getOrThrow(found).problem, "longer than a text in JavaScript can be")
  })

  it("data of classes, dates and members that are not there are written", () => {
    const item = { at: new Date(0), point: new Point({ x: 1 }), data: Data.struct({ a: 1 }), none: undefined }
    assert.deepStrictEqual(
      stringify(item),
      Either.right("{\"at\":\"1970-01-01T00:00:00.000Z\",\"point\":{\"x\":1},\"data\":{\"a\":1}}")
    )
    assert.deepStrictEqual(
      stringify({ a: [-0, { b: -0 }], c: undefined, d: "\uD800" }),
      Either.right("{\"a\":[-0,{\"b\":-0}],\"d\":\"\\ud800\"}")
    )
  })

  it.effect("a name that a schema would lose is refused on both sides (OWN-24)", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({
        id: Schema.Number,
        more: Schema.Record({ key: Schema.String, value: Schema.Number })
      })
      const item = JSON.parse("{\"id\":1,\"more\":{\"a\":1,\"__proto__\":2}}")
      const files = new MemoryFiles().set(path, `${JSON.stringify(item)}\n{"id":2,"more":{}}\n`)
      const found = yield* Effect.provide(readAll(NdjsonItemReader.make(path, { schema })), files.layer)
      assert.deepStrictEqual(itemsOf(found), [{ id: 2, more: {} }])
      assert.include(failuresOf(found)[0]?.message, "it has a member named \"__proto__\", which its schema would lose")
      const error = yield* Effect.flip(
        write(new MemoryFiles(), NdjsonItemWriter.make<any, any>(path, { schema }), [item])
      )
      assert.include(error.message, "it has a member named \"__proto__\"")
    }))
})

describe("numbers of JSON", () => {
  const values = (text: string, inexactNumbers?: "fail" | "text" | "round") =>
    Effect.gen(function*() {
      const array = yield* readAll(JsonItemReader.array(path, { inexactNumbers })).pipe(
        Effect.provide(new MemoryFiles().set(path, `[${text}]`).layer)
      )
      const lines = yield* readAll(NdjsonItemReader.make(path, { inexactNumbers })).pipe(
        Effect.provide(new MemoryFiles().set(path, `${text}\n`).layer)
      )
      assert.deepStrictEqual(itemsOf(array), itemsOf(lines))
      return { items: itemsOf(lines), failed: failuresOf(lines).map(({ message }) => message) }
    })

  it.effect.each([
    ["an integer beyond 2^53", "12345678901234567890"],
    ["the first integer that is rounded", "9007199254740993"],
    ["a number that is infinite", "1e999"],
    ["a number that is infinite, below", "-1e400"],
    ["a number that becomes 0", "1e-400"],
    ["money with more digits than fit", "12345678901234567.89"],
    ["pi", "3.14159265358979323846"],
    ["in an array", "[1, 2, [12345678901234567890]]"]
  ])("%s is a bad value, its text, or rounded, as told (OWN-24)", ([, text]) =>
    Effect.gen(function*() {
      const literal = /-?[\d.]+(?:e-?\d+)?(?=[\]]*$)/.exec(text!)![0]
      const fail = yield* values(`{"a": "1e999", "id": ${text}}`)
      assert.deepStrictEqual(fail.items, [])
      assert.include(
        fail.failed[0],
        `a number that JavaScript cannot hold exactly (${literal}); see \`inexactNumbers\``
      )
      const asText = yield* values(`{"a": "1e999", "id": ${text}}`, "text")
      assert.include(JSON.stringify(asText.items), `"${literal}"`)
      const rounded = yield* values(`{"id": ${text}}`, "round")
      assert.deepStrictEqual(rounded.items, [JSON.parse(`{"id": ${text}}`)])
    }))

  it.effect("names the member, and shows nothing of what may be sensitive", () =>
    Effect.gen(function*() {
      assert.include(
        (yield* values("{\"x\":{\"id\" : 12345678901234567890}}")).failed[0],
        ": id: a number that JavaScript"
      )
    }))

  it.effect("read through a schema as text, they are exact", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ id: Schema.BigInt })
      const found = yield* readAll(NdjsonItemReader.make(path, { schema, inexactNumbers: "text" })).pipe(
        Effect.provide(new MemoryFiles().set(path, "{\"id\": 12345678901234567890}\n").layer)
      )
      assert.deepStrictEqual(itemsOf(found), [{ id: 12345678901234567890n }])
    }))

  it.prop("every number that a program prints is exact, with as many digits as it likes", [
    FastCheck.double({ noNaN: true, noDefaultInfinity: true }),
    FastCheck.integer({ min: 17, max: 100 })
  ], ([number, digits]) => {
    for (const text of [String(number), number.toPrecision(digits), JSON.stringify(number)]) {
      assert.isTrue(numbers.isExact(text), text)
    }
    assert.isTrue(
      Math.abs(number) < 1 || Math.abs(number) > 1e90 || numbers.isExact(BigInt(Math.trunc(number)).toString())
    )
  })

  it.prop("an integer is exact if and only if it is read as it is written", [
    FastCheck.bigInt({ min: -(2n ** 80n), max: 2n ** 80n })
  ], ([integer]) => {
    assert.strictEqual(numbers.isExact(String(integer)), BigInt(Number(String(integer))) === integer)
  })

  it.prop("what is quoted is what was not exact, and nothing inside of strings", [
    FastCheck.array(
      FastCheck.oneof(
        FastCheck.constantFrom("12345678901234567890", "1", "1e999", "0.1", "-9007199254740993"),
        FastCheck.stringOf(FastCheck.constantFrom("\"", "\\", "1e999", "12345678901234567890", "x")).map((text) =>
          JSON.stringify(text)
        )
      )
    )
  ], ([parts]) => {
    const text = `[${parts.join(",")}]`
    assert.strictEqual(
      numbers.quoteAll(text, numbers.inexact(text)),
      `[${parts.map((part) => part.startsWith("\"") || numbers.isExact(part) ? part : `"${part}"`).join(",")}]`
    )
    assert.isTrue(numbers.inexact(text).length === 0 || numbers.suspicious(text))
  })
})

describe("a name that an object of JSON has twice", () => {
  const repeated: ReadonlyArray<readonly [text: string, name: string]> = [
    ["{\"a\":1,\"a\":2}", "\"a\""],
    ["{\"a\":1,\"b\":2,\"a\":1}", "\"a\""],
    ["{\"a\":1,\"\\u0061\":2}", "\"a\""],
    ["{\"b\":{\"a\":\"x:y\"},\"c\":[{\"a\":1,\"a\" : 2}]}", "\"a\""],
    ["{\"\":1,\"\":2}", "\"\""],
    ["{\"__proto__\":1,\"__proto__\":2}", "\"__proto__\""],
    ["{\"at\":\"12:00\",\"\\\"\":1,\"\\\"\":{\"x\":1}}", "\"\\\"\""],
    ["[{\"1\":[]},{\"1\":[],\"2\":{},\"1\":[]}]", "\"1\""]
  ]
  const fine = [
    "{\"a\":{\"a\":{\"a\":\"a:a\"}},\"b\":[{\"a\":1},{\"a\":1}]}",
    "{\"a\":\"\\\"a\\\":1\",\"A\":2,\"a \":3}",
    "{\"\\\\\":\":\",\"\\\\\\\\\":\"::\"}",
    `${"[".repeat(5000)}{"a":":"}${"]".repeat(5000)}`
  ]

  it.effect.each(repeated)(
    "%s is a bad value that names it, or the last one counts when told to (OWN-24)",
    ([text, name]) =>
      Effect.gen(function*() {
        const readers = (repeatedNames?: "last") =>
          [
            [`[${text},\n1]`, JsonItemReader.array(path, { repeatedNames })],
            [`${text}\n1\n`, NdjsonItemReader.make(path, { repeatedNames })]
          ] as const
        for (const [content, reader] of readers()) {
          const found = yield* Effect.provide(readAll(reader), new MemoryFiles().set(path, content).layer)
          assert.deepStrictEqual(itemsOf(found), [1])
          assert.include(failuresOf(found)[0]?.message, `it has the name ${name} twice`)
        }
        for (const [content, reader] of readers("last")) {
          const found = yield* Effect.provide(readAll(reader), new MemoryFiles().set(path, content).layer)
          assert.deepStrictEqual(itemsOf(found), [JSON.parse(text), 1])
        }
      })
  )

  it("is not seen where different objects have it, or a text that only looks like one", () => {
    for (const text of fine) {
      assert.isUndefined(names.repeated(text, JSON.parse(text)), text.slice(0, 80))
    }
  })

  it.effect("stays secret where the schema says so", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ pin: Sensitive.make(Schema.Number) })
      const found = yield* readAll(NdjsonItemReader.make(path, { schema })).pipe(
        Effect.provide(new MemoryFiles().set(path, "{\"pin\":1234,\"hunter2\":1,\"hunter2\":2}\n").layer)
      )
      assert.notInclude(JSON.stringify(failuresOf(found)), "hunter2")
      assert.include(failuresOf(found)[0]?.message, "twice")
    }))

  it.prop("is found in any text, however it is written", [
    FastCheck.array(FastCheck.tuple(FastCheck.constantFrom("a", ":", "\"", "\\", "{"), FastCheck.json()), {
      maxLength: 6
    }),
    FastCheck.boolean()
  ], ([entries, spaced]) => {
    const text = `{${
      entries.map(([name, value]) => `${JSON.stringify(name)}${spaced ? " : " : ":"}${value}`).join(
        spaced ? " ,\n" : ","
      )
    }}`
    const isRepeated = new Set(entries.map(([name]) => name)).size < entries.length
    assert.strictEqual(names.repeated(text, JSON.parse(text)) !== undefined, isRepeated, text)
  })
})

/** After the JSON test suite of Nicolas Seriot: what every parser has to take, and what none may. */
describe("JSON texts of others", () => {
  const taken = [
    "[[]   ]",
    "[\"\"]",
    "[]",
    "[\"a\"]",
    "[false]",
    "[null, 1, \"1\", {}]",
    "[null]",
    "[1\n]",
    " [1]",
    "[1,null,null,null,2]",
    "[2] ",
    "[123e65]",
    "[0e+1]",
    "[0e1]",
    "[ 4]",
    "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    "[20e1]",
    "[-0]",
    "[-123]",
    "[-1]",
    "[1E22]",
    "[1E-2]",
    "[1E+2]",
    "[123e45]",
    "[123.456e78]",
    "[1e-2]",
    "[1e+2]",
    "[123]",
    "[123.456789]",
    "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}",
    "{}",
    "{\"\":0}",
    "{\"foo\\u0000bar\": 42}",
    "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
    "{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxx\"}",
    "{\"a\":[]}",
    "{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\" }",
    "[\"\\u0060\\u012a\\u12AB\"]",
    "[\"\\uD801\\udc37\"]",
    "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    "[\"\\\\u0000\"]",
    "[\"\\\"\"]",
    "[\"a/*b*/c/*d//e\"]",
    "[\"\\\\a\"]",
    "[\"\\\\n\"]",
    "[\"\\u0012\"]",
    "[\"\\uFFFF\"]",
    "[\"asd\"]",
    "[ \"asd\"]",
    "[\"\\uDBFF\\uDFFF\"]",
    "[\"new\\u00A0line\"]",
    "[\"\u2028\"]",
    "[\"\u007f\"]",
    "[\"\u20ac\ud834\udd1e\"]",
    "[\"\\uD834\\uDd1e\"]",
    "false",
    "42",
    "-0.1",
    "null",
    "\"asd\"",
    "true",
    "\"\"",
    "[true]"
  ]
  const refused = [
    "[1 true]",
    "[\"\": 1]",
    "[\"\"],",
    "[,1]",
    "[1,,2]",
    "[\"x\",,]",
    "[\"x\"]]",
    "[\"\",]",
    "[\"x\"",
    "[x",
    "[3[4]]",
    "[1:2]",
    "[,]",
    "[-]",
    "[   , \"\"]",
    "[1,]",
    "[*]",
    "[\"\"",
    "[1,",
    "[{}",
    "[fals]",
    "[nul]",
    "[tru]",
    "[++1234]",
    "[+1]",
    "[+Inf]",
    "[-01]",
    "[-1.0.]",
    "[-2.]",
    "[-NaN]",
    "[.-1]",
    "[.2e-3]",
    "[0.1.2]",
    "[0.3e+]",
    "[0.e1]",
    "[0E]",
    "[0e+]",
    "[1.0e+]",
    "[1 000.0]",
    "[1eE2]",
    "[2.e+3]",
    "[9.e+]",
    "[Inf]",
    "[NaN]",
    "[1+2]",
    "[0x1]",
    "[0x42]",
    "[Infinity]",
    "[0e+-1]",
    "[-123.123foo]",
    "[-Infinity]",
    "[- 1]",
    "[-012]",
    "[-.123]",
    "[1ea]",
    "[1.]",
    "[.123]",
    "[1.2a-3]",
    "[1.8011670033376514H-308]",
    "[012]",
    "[\"x\", truth]",
    "{[: \"x\"}",
    "{\"x\", null}",
    "{\"x\"::\"b\"}",
    "{\"a\":\"a\" 123}",
    "{key: 'value'}",
    "{\"a\" b}",
    "{:\"b\"}",
    "{\"a\" \"b\"}",
    "{\"a\":",
    "{\"a\"",
    "{1:1}",
    "{null:null,null:null}",
    "{\"id\":0,,,,,}",
    "{'a':0}",
    "{\"id\":0,}",
    "{\"a\":\"b\"}/**/",
    "{\"a\":\"b\"}#",
    "{\"a\":\"b\",,\"c\":\"d\"}",
    "{a: \"b\"}",
    "{\"a\":\"a",
    "{\"a\":true} \"x\"",
    "[\"\\uD800\\\"]",
    "[\"\\uD800\\u\"]",
    "[\\u000A\"\"]",
    "[\"\\x00\"]",
    "[\"\\\\\\\"]",
    "[\"\\a\"]",
    "[\"\\uqqqq\"]",
    "[\"\\\"]",
    "[\"\\\"",
    "[\\u0020\"asd\"]",
    "[\"\t\"]",
    "\"\\UA66D\"",
    "<null>",
    "[1]x",
    "[1][]",
    "]",
    "[",
    "2@",
    "{}}",
    "{\"\":",
    "{\"a\":/*comment*/\"b\"}",
    "{\"a\": true} {}",
    "['",
    "[\"a",
    "{",
    "{]",
    "{,",
    "{[",
    "{\"a",
    "{'a'",
    "[\"\\{[\"\\{",
    "*",
    "{\"a\":\"b\"}#{}",
    "[\u2060]",
    "1]",
    "{\"x\": true,",
    "[[] ",
    "\uFEFF{}x"
  ]

  it.effect("are taken where they are JSON, and bad values where they are not", () =>
    Effect.gen(function*() {
      for (const text of taken) {
        const found = yield* readAll(NdjsonItemReader.make(path)).pipe(
          Effect.provide(new MemoryFiles().set(path, `${text.replaceAll("\n", " ")}\n0\n`).layer)
        )
        assert.deepStrictEqual(itemsOf(found), [JSON.parse(text), 0], text)
      }
      for (const text of refused) {
        const found = yield* readAll(NdjsonItemReader.make(path)).pipe(
          Effect.provide(new MemoryFiles().set(path, `${text}\n0\n`).layer)
        )
        assert.deepStrictEqual([itemsOf(found), failuresOf(found).length], [[0], 1], text)
      }
    }))
})
