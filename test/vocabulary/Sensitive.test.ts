import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"

const SECRET = "hunter2"

const Secret = Sensitive.make(Schema.String)

class Login extends Schema.Class<Login>("Login")({ user: Schema.String, password: Secret }) {}

interface Tree {
  readonly value: string
  readonly children: ReadonlyArray<Tree>
}

const Tree: Schema.Schema<Tree> = Schema.Struct({
  value: Secret,
  children: Schema.Array(Schema.suspend(() => Tree))
})

/** Schemas with a sensitive part, and a value of each that holds the secret. */
const cases: ReadonlyArray<readonly [string, Schema.Schema.AnyNoContext, unknown, unknown]> = [
  ["the value itself", Secret, SECRET, "<sensitive>"],
  ["field", Schema.Struct({ a: Schema.Number, b: Secret }), { a: 1, b: SECRET }, { a: 1, b: "<sensitive>" }],
  ["optional field", Schema.Struct({ b: Schema.optional(Secret) }), { b: SECRET }, { b: "<sensitive>" }],
  [
    "field with a default",
    Schema.Struct({ b: Schema.optionalWith(Secret, { default: () => "" }) }),
    { b: SECRET },
    { b: "<sensitive>" }
  ],
  [
    "renamed field",
    Schema.Struct({ b: Schema.propertySignature(Secret).pipe(Schema.fromKey("c")) }),
    { b: SECRET },
    { b: "<sensitive>" }
  ],
  ["nullable field", Schema.Struct({ b: Schema.NullOr(Secret) }), { b: SECRET }, { b: "<sensitive>" }],
  ["array", Schema.Array(Secret), [SECRET, SECRET], ["<sensitive>", "<sensitive>"]],
  [
    "tuple with rest",
    Schema.Tuple([Schema.String], Schema.Number, Secret),
    ["a", 1, 2, SECRET],
    ["a", 1, 2, "<sensitive>"]
  ],
  [
    "record",
    Schema.Record({ key: Schema.String, value: Secret }),
    { x: SECRET, ["__proto__x"]: SECRET },
    { x: "<sensitive>", ["__proto__x"]: "<sensitive>" }
  ],
  [
    "class",
    Login,
    new Login({ user: "u", password: SECRET }),
    { user: "u", password: "<sensitive>" }
  ],
  ["option", Schema.OptionFromSelf(Secret), Option.some(SECRET), "<sensitive>"],
  [
    "option of a struct",
    Schema.OptionFromSelf(Schema.Struct({ b: Secret })),
    Option.some({ b: SECRET }),
    "<sensitive>"
  ],
  [
    "sensitive union inside a union",
    Schema.Union(Schema.Number, Sensitive.make(Schema.Union(Schema.String, Schema.Null))),
    SECRET,
    "<sensitive>"
  ],
  ["lenient union", Schema.Union(Schema.String, Secret), SECRET, "<sensitive>"],
  [
    "recursive",
    Tree,
    { value: SECRET, children: [{ value: SECRET, children: [] }] },
    { value: "<sensitive>", children: [{ value: "<sensitive>", children: [] }] }
  ],
  [
    "refined struct",
    Schema.Struct({ b: Secret }).pipe(Schema.filter(() => true)),
    { b: SECRET },
    { b: "<sensitive>" }
  ],
  [
    "transformed struct",
    Schema.transform(Schema.Struct({ b: Secret }), Schema.String, { decode: ({ b }) => b, encode: (b) => ({ b }) }),
    SECRET,
    "<sensitive>"
  ]
]

/** A type that thirty of its own fields lead back to, and a secret twelve levels down in another one. */
const Wide: Schema.Schema<any> = Schema.Struct({
  ...Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`field${i}`, Schema.optional(Schema.suspend(() => Wide))])
  ),
  far: Array.from({ length: 12 }).reduce<Schema.Schema<any>>((inner) => Schema.Struct({ inner }), Secret)
})

const farDown = (value: string): unknown => Array.from({ length: 12 }).reduce<unknown>((inner) => ({ inner }), value)

describe("Sensitive.mask", () => {
  it("hides a secret far behind a type that many of its own fields lead back to", () => {
    const schema = Schema.Array(Wide)
    assert.isTrue(Sensitive.isSensitive(schema))
    assert.deepStrictEqual(Sensitive.mask(schema)([{ far: farDown(SECRET) }]), [{ far: farDown("<sensitive>") }])
  })

  for (const [name, schema, value, masked] of cases) {
    it(`hides the sensitive part: ${name}`, () => {
      assert.deepStrictEqual(Sensitive.mask(schema)(value), masked)
      assert.isTrue(Sensitive.isSensitive(schema))
    })

    it.prop(`never shows a value of another shape: ${name}`, [FastCheck.jsonValue()], ([value]) => {
      const hiding = (json: unknown): unknown =>
        Array.isArray(json) ? json.map(hiding) : typeof json === "string" ? SECRET : json
      const shown = JSON.stringify(Sensitive.mask(schema)(hiding(value)))
      assert.isTrue(name === "tuple with rest" || !shown.includes(SECRET), shown)
    })
  }

  for (const [name, schema, value, masked] of cases.filter(([name]) => name !== "transformed struct")) {
    it(`hides the sensitive part of the type side: ${name}`, () => {
      assert.deepStrictEqual(Sensitive.mask(Schema.typeSchema(schema))(value), masked)
    })
  }

  it("returns a value without sensitive parts as it is", () => {
    const value = { a: [1, 2] }
    assert.strictEqual(Sensitive.mask(Schema.Struct({ a: Schema.Array(Schema.Number) }))(value), value)
  })

  it("keeps the fields that are not in the Schema", () => {
    assert.deepStrictEqual(Sensitive.mask(Schema.Struct({ b: Secret }))({ b: 1, other: 2 }), {
      b: "<sensitive>",
      other: 2
    })
  })
})

const issues = <A, I>(schema: Schema.Schema<A, I>, input: unknown): ReadonlyArray<string> =>
  Either.match(Schema.decodeUnknownEither(schema, { errors: "all" })(input), {
    onLeft: (error) =>
      Sensitive.formatIssues(schema)(error.issue).map(({ message, path }) =>
        path === "" ? message : `${path}: ${message}`
      ),
    onRight: () => []
  })

describe("Sensitive.formatIssues", () => {
  const Digits = Sensitive.make(
    Schema.String.pipe(Schema.pattern(/^\d+$/, { message: ({ actual }) => `bad: ${actual}` }))
  )

  it("shows values of other fields, with the message of the Schema", () => {
    const Row = Schema.Struct({
      id: Schema.Number,
      name: Schema.String.pipe(Schema.minLength(9, { message: ({ actual }) => `${actual} is short` })),
      pin: Digits
    })
    assert.deepStrictEqual(issues(Row, { id: "x", name: "Ada", pin: SECRET }), [
      `id: Expected number, actual "x"`,
      "name: Ada is short",
      "pin: Expected a string matching the pattern ^\\d+$, actual <sensitive>"
    ])
  })

  it("says which fields are missing, with paths through arrays", () => {
    const Rows = Schema.Struct({ rows: Schema.Array(Schema.Struct({ pin: Digits })) })
    assert.deepStrictEqual(issues(Rows, { rows: [{}, { pin: SECRET }] }), [
      "rows[0].pin: is missing",
      "rows[1].pin: Expected a string matching the pattern ^\\d+$, actual <sensitive>"
    ])
  })

  it("shows the ordinary fields of a class, not the sensitive ones", () => {
    assert.deepStrictEqual(issues(Login, { user: 1, password: 2 }), [
      "user: Expected string, actual 1",
      "password: Expected string, actual <sensitive>"
    ])
  })

  const leaky = {
    "filter around": Schema.Struct({ b: Secret }).pipe(Schema.filter((value) => `no: ${value.b}`)),
    "filter around, at another field": Schema.Struct({ a: Schema.optional(Schema.String), b: Secret }).pipe(
      Schema.filter((value) => ({ path: ["a"], message: `no: ${value.b}` }))
    ),
    "number": Schema.Struct({ b: Sensitive.make(Schema.NumberFromString) }),
    "nullable": Schema.Struct({ b: Schema.NullOr(Digits) }),
    "union with another member": Schema.Struct({ b: Schema.Union(Schema.Number, Digits) }),
    "sensitive literals": Schema.Struct({ b: Sensitive.make(Schema.Literal("x", "y")) }),
    "option": Schema.Struct({ b: Schema.OptionFromNullOr(Digits) }),
    "chunk of tuples": Schema.Struct({ b: Schema.Chunk(Schema.Tuple(Schema.String, Digits)) }),
    "set": Schema.Struct({ b: Schema.HashSet(Digits) }),
    "redacted": Schema.Struct({ b: Schema.Redacted(Digits) }),
    "struct expected": Schema.Struct({ b: Schema.Struct({ c: Sensitive.make(Schema.Number) }) }),
    "sensitive struct": Schema.Struct({ b: Sensitive.make(Schema.Struct({ c: Schema.Number })) }),
    "record": Schema.Struct({ b: Schema.Record({ key: Schema.String, value: Digits }) }),
    "default": Schema.Struct({ b: Schema.optionalWith(Digits, { default: () => "1" }) }),
    "renamed": Schema.Struct({ z: Schema.propertySignature(Digits).pipe(Schema.fromKey("b")) }),
    "composed": Schema.Struct({ b: Schema.compose(Sensitive.make(Schema.String), Schema.NumberFromString) }),
    "transformed": Schema.transform(
      Schema.Struct({ b: Secret }),
      Schema.Struct({ out: Schema.Number }),
      { strict: false, decode: ({ b }) => ({ out: b }), encode: ({ out }) => ({ b: String(out) }) }
    )
  }

  for (const [name, schema] of Object.entries(leaky)) {
    for (const secret of [SECRET, [SECRET], [["a", SECRET]], { c: SECRET }, { d: { c: SECRET } }]) {
      it(`never shows the value: ${name}, ${typeof secret === "string" ? "text" : JSON.stringify(secret).length}`, () => {
        const found = issues(schema as Schema.Schema<unknown>, { b: secret })
        assert.isAbove(found.length, 0)
        assert.notInclude(found.join("\n"), SECRET)
      })
    }
  }
})
