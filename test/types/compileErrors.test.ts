/**
 * What the compiler says to the mistakes that people make first, in names they know.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("../..", import.meta.url))

const HEAD = `
import { Context, Data, Effect, Schema } from "effect"
import { Flow, ItemProcessor, ItemReader, ItemWriter, Job, JobOperator, JobParameters, JobRepository, Step, Tasklet } from "effect-batch"

interface Row { readonly id: number; readonly amount: string }
interface Payment { readonly id: number; readonly cents: number }
class Refused extends Data.TaggedError("Refused")<{}> {}
class Rates extends Context.Tag("Rates")<Rates, { readonly get: Effect.Effect<number> }>() {}
class Params extends JobParameters.Tag<Params>()("Params", {
  file: Schema.String,
  size: Schema.optionalWith(Schema.Number, { default: () => 10 })
}) {}
declare const rows: ItemReader.ItemReader<Row, Refused>
declare const payments: ItemWriter.ItemWriter<Payment>
declare const rowWriter: ItemWriter.ItemWriter<Row>
const toPayment = ItemProcessor.map(({ id }: Row): Payment => ({ id, cents: 1 }))
const load = Step.chunk("load", { reader: rows, processor: toPayment, writer: payments, chunkSize: 10 })
const other = Step.tasklet("other", Effect.void)
const job = Job.make("job", { parameters: Params, flow: load })
`

/** What is wrong, the code, and parts of what the compiler says. */
const cases: ReadonlyArray<readonly [mistake: string, code: string, says: ReadonlyArray<string>]> = [
  ["a writer that does not take what is read", "Step.chunk(\"x\", { reader: rows, writer: payments, chunkSize: 10 })", [
    "Type 'ItemWriter<Payment, never, never>' is not assignable to type 'ItemWriter<Row, unknown, unknown>'",
    "Property 'cents' is missing in type 'Row' but required in type 'Payment'"
  ]],
  [
    "a writer that does not take what is made",
    "Step.chunk(\"x\", { reader: rows, processor: toPayment, writer: rowWriter, chunkSize: 10 })",
    [
      "Type 'ItemWriter<Row, never, never>' is not assignable to type 'ItemWriter<Payment, unknown, unknown>'",
      "Property 'amount' is missing in type 'Payment' but required in type 'Row'"
    ]
  ],
  [
    "the same, with a function",
    "Step.chunk(\"x\", { reader: rows, processor: (row) => Effect.succeed(row.id), writer: rowWriter, chunkSize: 10 })",
    [
      "Type 'ItemWriter<Row, never, never>' is not assignable to type 'ItemWriter<number, unknown, unknown>'",
      "Type 'number' is not assignable to type 'Row'"
    ]
  ],
  [
    "a processor for other items",
    "Step.chunk(\"x\", { reader: ItemReader.fromIterable([\"a\"]), processor: toPayment, writer: payments, chunkSize: 10 })",
    [
      "Type 'ItemProcessor<Row, Payment, never, never>' is not assignable to type 'ItemProcessor<string,",
      "Type 'string' is not assignable to type 'Row'"
    ]
  ],
  [
    "a function for other items",
    "Step.chunk(\"x\", { reader: rows, processor: (n: number) => Effect.succeed({ id: n, cents: n }), writer: payments, chunkSize: 1 })",
    [
      "is not assignable to type '(item: Row) => Effect<unknown, unknown, unknown>'",
      "Type 'Row' is not assignable to type 'number'"
    ]
  ],
  ["no chunk size", "Step.chunk(\"x\", { reader: rows, writer: rowWriter })", [
    "Property 'chunkSize' is missing",
    "but required in type 'PartsOf<Row, Row, "
  ]],
  ["no writer", "Step.chunk(\"x\", { reader: rows, chunkSize: 10 })", ["Property 'writer' is missing"]],
  ["no reader", "Step.chunk(\"x\", { writer: payments, chunkSize: 10 })", ["Property 'reader' is missing"]],
  ["what is no reader", "Step.chunk(\"x\", { reader: [1, 2], writer: payments, chunkSize: 10 })", [
    "Type 'number[]' is missing the following properties from type 'ItemReader<"
  ]],
  ["a chunk size as text", "Step.chunk(\"x\", { reader: rows, writer: rowWriter, chunkSize: \"10\" })", [
    "Type 'string' is not assignable to type 'number | CompletionPolicy<Row>'"
  ]],
  ["a misspelt option", "Step.chunk(\"x\", { reader: rows, writer: rowWriter, chunksize: 10 })", [
    "Type 'number' is not assignable to type '\"Step.chunk has no such option: did you mean chunkSize?\"'"
  ]],
  [
    "an option that there is not",
    "Step.chunk(\"x\", { reader: rows, writer: rowWriter, chunkSize: 10, skipLimit: 3 })",
    [
      "Type 'number' is not assignable to type '\"Step.chunk has no such option\"'"
    ]
  ],
  [
    "a processor that gives a plain value",
    "Step.chunk(\"x\", { reader: rows, processor: (row) => row.id, writer: payments, chunkSize: 10 })",
    [
      "Type '(row: Row) => number' is not assignable to type '(item: Row) => Effect<unknown, unknown, unknown>'",
      "Type 'number' is not assignable to type 'Effect<"
    ]
  ],
  [
    "a processor that gives a promise",
    "Step.chunk(\"x\", { reader: rows, processor: async (row: Row) => row, writer: rowWriter, chunkSize: 10 })",
    ["Type '(row: Row) => Promise<Row>' is not assignable to type '(item: Row) => Effect<unknown, unknown, unknown>'"]
  ],
  [
    "a member that items do not have",
    "Step.chunk(\"x\", { reader: rows, processor: (row) => Effect.succeed(row.sum), writer: payments, chunkSize: 10 })",
    ["Property 'sum' does not exist on type 'Row'"]
  ],
  ["an error that cannot occur", "load.pipe(Step.skip(\"Refuse\", { limit: 1 }))", [
    "Argument of type '\"Refuse\"' is not assignable to parameter of type '\"Refused\" | \"TransactionError\""
  ]],
  ["a limit that is missing", "load.pipe(Step.skip(\"Refused\"))", ["Expected 2-3 arguments, but got 1"]],
  ["a skip of a tasklet", "other.pipe(Step.skip(\"Refused\", { limit: 1 }))", ["ChunkStep"]],
  [
    "an exit code without a way on",
    "Step.tasklet(\"t\", Effect.succeed(Tasklet.finishedWith(\"LATE\"))).pipe(Flow.match({ COMPLETED: Flow.end() }))",
    [
      "'\"exit codes without a transition\"' is missing",
      "required in type '{ readonly \"exit codes without a transition\": \"LATE\"; }'"
    ]
  ],
  ["an exit code that does not exist", "load.pipe(Flow.match({ COMPLETED: Flow.end(), \"LATE\": other }))", [
    "\"keys that are no exit code of the flow\": \"LATE\""
  ]],
  ["a parameter that is missing", "JobOperator.run(job, {})", ["Property 'file' is missing in type '{}'"]],
  ["a parameter of another type", "JobOperator.run(job, { file: 3 })", [
    "Type 'number' is not assignable to type 'string'"
  ]],
  ["a parameter that there is not", "JobOperator.run(job, { file: \"a\", files: \"b\" })", [
    "'files' does not exist",
    "Did you mean to write 'file'?"
  ]],
  [
    "a parameter that JSON cannot hold",
    "class P extends JobParameters.Tag<P>()(\"P\", { day: Schema.DateFromSelf }) {}; console.log(P)",
    ["the parameter day does not encode to JSON, so it cannot be stored: use a schema that does, such as Schema.Date"]
  ],
  [
    "a service that is not there",
    "Effect.runPromise(JobOperator.run(Job.make(\"j\", { flow: Step.tasklet(\"t\", Rates) }), {}).pipe(Effect.provide(JobRepository.layerMemory)))",
    ["Type 'Rates' is not assignable to type 'never'"]
  ],
  ["no repository", "Effect.runPromise(JobOperator.run(job, { file: \"a\" }))", [
    "Type 'JobRepository | Transactor' is not assignable to type 'never'"
  ]],
  ["a flow that is not one", "Job.make(\"j\", { flow: [load, other] })", [
    "is missing the following properties from type 'Flow<"
  ]],
  ["a flow that is an effect", "Job.make(\"j\", { flow: Effect.log(\"a\") })", [
    "Type 'Effect<void, never, never>' is missing the following properties from type 'Flow<"
  ]],
  ["a flow that is a function", "Job.make(\"j\", { flow: () => load })", [
    "Type '() => Step.ChunkStep<Row, Payment",
    "to type 'Flow<"
  ]],
  ["a job without a flow", "Job.make(\"j\", { parameters: Params })", [
    "Property 'flow' is missing in type '{ parameters: typeof Params; }' but required in type '{ readonly flow: Flow<"
  ]],
  ["a step in the place of the options", "Job.make(\"j\", load)", [
    "Property 'flow' is missing in type 'ChunkStep<Row, Payment,"
  ]],
  ["steps in the option of another library", "Job.make(\"j\", { steps: [load, other] })", [
    "'steps' does not exist in type '{ readonly flow: Flow<"
  ]],
  [
    "parameters that are a schema",
    "Job.make(\"j\", { parameters: Schema.Struct({ file: Schema.String }), flow: load })",
    [
      "Type 'Struct<{ file: typeof String$; }>' is not assignable to type 'Tag<"
    ]
  ]
]

const messages = (() => {
  const options = ts.parseJsonConfigFileContent(
    ts.readConfigFile(Path.join(root, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    root
  ).options
  const files = new Map(
    [...cases, ["", "load", []] as const].map((
      [, code],
      i
    ) => [
      Path.join(root, "test", "types", `mistake-${i}.ts`),
      `${HEAD}\nexport const mistake = () => {\n  return (${/^class/.test(code) ? `() => { ${code} }` : code})\n}\n`
    ])
  )
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile, readFile } = host
  host.fileExists = (file) => files.has(file) || fileExists.call(host, file)
  host.readFile = (file) => files.get(file) ?? readFile.call(host, file)
  host.getSourceFile = (file, ...rest) =>
    files.has(file)
      ? ts.createSourceFile(file, files.get(file)!, ts.ScriptTarget.ES2022)
      : getSourceFile.call(host, file, ...rest)
  const program = ts.createProgram([...files.keys()], { ...options, noUnusedLocals: false }, host)
  return [...files.keys()].map((file) => {
    const source = program.getSourceFile(file)!
    return program.getSemanticDiagnostics(source).map(({ messageText }) => ({
      text: ts.flattenDiagnosticMessageText(messageText, "\n")
    }))
  })
})()
describe("what the compiler says", () => {
  cases.forEach(([mistake, code, says], i) => {
    it(`to ${mistake}`, () => {
      const [message, ...more] = messages[i]!
      const isOnce = /^(?:Step\.chunk|Job\.make)/.test(code)
      assert.isAtMost(more.length, isOnce ? 0 : 1, JSON.stringify(messages[i]))
      if (isOnce) {
        assert.notInclude(message?.text ?? "", "Overload 1 of", "once, and not for each signature")
      }
      for (const part of says) {
        assert.include(message?.text ?? "nothing", part)
      }
    })
  })

  it("nothing about the head that all of them share", () => {
    assert.deepStrictEqual(messages[cases.length], [])
  })
})
