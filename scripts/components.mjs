/**
 * Writes docs/components.md: what each reader, writer and processor can fail with, read off the types, so that it is what
 * `Step.skip` and `Step.retry` accept. `--check` fails when the page is not today's.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const PAGE = Path.join(root, "docs", "components.md")

/** How each component is made; `T` is any item. */
const components = {
  Readers: {
    "ItemReader.fromIterable": "ItemReader.fromIterable([1])",
    "ItemReader.fromStream": "ItemReader.fromStream(Stream.make(1))",
    "CsvItemReader.make": "CsvItemReader.make(\"a.csv\", { schema: Text })",
    "JsonItemReader.array": "JsonItemReader.array(\"a.json\", { schema: Row })",
    "NdjsonItemReader.make": "NdjsonItemReader.make(\"a.ndjson\", { schema: Row })",
    "FileItemReader.concatFiles":
      "FileItemReader.concatFiles(FileItemReader.list(\"in\", \"*.csv\"), () => ItemReader.empty)",
    "SqlItemReader.keyset":
      "SqlItemReader.keyset({ name: \"rows\", select: (sql) => sql`select id from rows`, key: [\"id\"], schema: Row })",
    "SqlItemReader.query":
      "SqlItemReader.query({ name: \"rows\", select: (sql) => sql`select id from rows`, schema: Row })"
  },
  Writers: {
    "ItemWriter.fromFunction": "ItemWriter.fromFunction((_: ReadonlyArray<T>) => Effect.void)",
    "CsvItemWriter.make": "CsvItemWriter.make<T>(\"a.csv\")",
    "JsonItemWriter.array": "JsonItemWriter.array<T>(\"a.json\")",
    "NdjsonItemWriter.make": "NdjsonItemWriter.make<T>(\"a.ndjson\")",
    "TextItemWriter.lines": "TextItemWriter.lines<T>(\"a.txt\", ({ id }) => String(id))",
    "SqlItemWriter.insertInto": "SqlItemWriter.insertInto<T>(\"rows\")",
    "SqlItemWriter.copyInto": "SqlItemWriter.copyInto<T>(\"rows\")",
    "SqlItemWriter.upsertInto": "SqlItemWriter.upsertInto<T>(\"rows\", { key: [\"id\"] })",
    "SqlItemWriter.update": "SqlItemWriter.update<T>(\"rows\", { key: [\"id\"] })",
    "SqlItemWriter.deleteFrom": "SqlItemWriter.deleteFrom<T>(\"rows\", { key: [\"id\"] })",
    "SqlItemWriter.statement": "SqlItemWriter.statement(\"rows\", (_: ReadonlyArray<T>, sql) => sql`delete from rows`)"
  },
  Processors: {
    "ItemProcessor.map": "ItemProcessor.map((row: T) => row.id)",
    "ItemProcessor.validate": "ItemProcessor.validate(Row)",
    "ItemProcessor.workerThreads": "ItemProcessor.workerThreads(new URL(\"file:///score.js\"), { schema: Row })"
  },
  Tasklets: {
    "Step.tasklet": "Step.tasklet(\"t\", Effect.void)",
    "SystemCommandTasklet.make": "SystemCommandTasklet.make([\"true\"], { timeout: \"1 minute\" })"
  }
}

const program = (() => {
  const file = Path.join(root, "docs", "components.ts")
  const all = Object.values(components).flatMap(Object.entries)
  const text = [
    "import { Effect, Schema, Stream } from \"effect\"",
    "import { ItemProcessor, ItemReader, ItemWriter, Step, SystemCommandTasklet } from \"effect-batch\"",
    "import * as Files from \"effect-batch/file\"",
    "import * as Sql from \"effect-batch/sql\"",
    "const { CsvItemReader, CsvItemWriter, FileItemReader, JsonItemReader, JsonItemWriter } = Files",
    "const { NdjsonItemReader, NdjsonItemWriter, TextItemWriter } = Files",
    "const Text = Schema.Struct({ id: Schema.String })",
    "const { SqlItemReader, SqlItemWriter } = Sql",
    "const Row = Schema.Struct({ id: Schema.Number })",
    "type T = typeof Row.Type",
    ...all.map(([, code], i) => `export const component${i} = ${code}`)
  ].join("\n")
  const config = ts.readConfigFile(Path.join(root, "tsconfig.json"), ts.sys.readFile).config
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile, readFile } = host
  host.fileExists = (path) => path === file || fileExists.call(host, path)
  host.readFile = (path) => path === file ? text : readFile.call(host, path)
  host.getSourceFile = (path, ...rest) =>
    path === file ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2022) : getSourceFile.call(host, path, ...rest)
  return { program: ts.createProgram([file], options, host), file, names: all.map(([name]) => name) }
})()

const { file, names, program: compiled } = program
const checker = compiled.getTypeChecker()
const source = compiled.getSourceFile(file)
const problems = compiled.getSemanticDiagnostics(source)
for (const { messageText } of problems) console.error(ts.flattenDiagnosticMessageText(messageText, "\n"))

/** The place of the error among the type arguments of a component. */
const ERROR_AT = { ItemReader: 1, ItemWriter: 1, ItemProcessor: 2, Step: 1, Effect: 1 }

const tagsOf = (type) => {
  const at = ERROR_AT[(type.aliasSymbol ?? type.symbol)?.name]
  const error = checker.getTypeArguments(type)[at] ?? type.aliasTypeArguments?.[at]
  const parts = error === undefined ? [] : error.isUnion() ? error.types : [error]
  return parts.flatMap((part) => {
    const tag = part.getProperty("_tag")
    return tag === undefined
      ? []
      : [checker.typeToString(checker.getTypeOfSymbolAtLocation(tag, source)).replaceAll("\"", "")]
  }).sort()
}

const tags = new Map(
  checker.getExportsOfModule(checker.getSymbolAtLocation(source)).map((symbol) => [
    names[Number(symbol.name.replace("component", ""))],
    tagsOf(checker.getTypeOfSymbolAtLocation(symbol, source))
  ])
)

const page = [
  "# Components and their errors",
  "",
  "What each component can fail with by itself, read off its type. These are the tags that `Step.skip` and `Step.retry` of its",
  "step accept, beside those of your own functions. `npm run components` writes this page.",
  ...Object.entries(components).flatMap(([title, rows]) => [
    "",
    `## ${title}`,
    "",
    "| component | errors |",
    "|---|---|",
    ...Object.keys(rows).map((name) =>
      `| \`${name}\` | ${tags.get(name).length === 0 ? "none" : tags.get(name).map((tag) => `\`${tag}\``).join(", ")} |`
    )
  ]),
  ""
].join("\n")

if (process.argv.includes("--check")) {
  const isToday = Fs.existsSync(PAGE) && Fs.readFileSync(PAGE, "utf8") === page
  console.log(
    isToday ? "components: as the types say" : "components: docs/components.md is not today's: npm run components"
  )
  process.exitCode = isToday && problems.length === 0 ? 0 : 1
} else {
  Fs.writeFileSync(PAGE, page)
  process.exitCode = problems.length === 0 ? 0 : 1
}
