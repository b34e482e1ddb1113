/**
 * Holds the documentation to its word: every ```ts block compiles against src/, those marked `run` end well and print what
 * the ```text output block behind them says, every ```sh command names a script or a file that exists, and every relative
 * link leads somewhere.
 *
 *   ```ts                a module of its own
 *   ```ts continues      the rest of the block before it
 *   ```ts run            a module (with `continues`: the whole chain) that is also run, in an empty directory
 *   ```text output       what it prints, or what the next part of it prints; so is ```mermaid
 *   ```mermaid drawing  a picture that no block prints
 *   ```sh run            commands that are run, at the root of the repository
 *   <!-- hidden … -->    code in front of the next block that readers need not see: imports, input files
 *   <!-- then … -->      code behind the block before it: assertions
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const work = Path.join(root, ".docs-check")
const entries = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...Fs.readdirSync(Path.join(root, "docs")).filter((file) => file.endsWith(".md")).sort().map((file) => `docs/${file}`)
].filter((file) => Fs.existsSync(Path.join(root, file)))

// -- reading pages ------------------------------------------------------------------------------------------------------

/** The fenced blocks and the code in comments of a page, in order, each line with its number. */
const blocksOf = (page) => {
  const blocks = []
  let open
  Fs.readFileSync(Path.join(root, page), "utf8").split("\n").forEach((text, index) => {
    const line = { page, number: index + 1, text }
    const fence = /^```(.*)$/.exec(text)
    const comment = /^<!-- (hidden|then)$/.exec(text)
    if (open !== undefined) {
      if (open.end.test(text)) {
        blocks.push(open)
        open = undefined
      } else {
        open.lines.push(line)
      }
    } else if (fence !== null) {
      const [language = "", ...marks] = fence[1].trim().split(/\s+/)
      open = { page, number: index + 1, language, marks, lines: [], end: /^```$/ }
    } else if (comment !== null) {
      open = { page, number: index + 1, language: comment[1], marks: [], lines: [], end: /^-->$/ }
    }
  })
  return blocks
}

/** The modules that the blocks of a page make. */
const modulesOf = (blocks) => {
  const modules = []
  let hidden = []
  let current
  for (const { language, lines, marks, number, page } of blocks) {
    if (language === "hidden") {
      hidden = lines
    } else if (language === "then" && current !== undefined) {
      current.lines.push(...lines)
    } else if (language === "ts" && marks.includes("continues") && current !== undefined) {
      current.lines.push(...hidden, ...lines)
      current.run ||= marks.includes("run")
      hidden = []
    } else if (language === "ts") {
      current = { page, number, lines: [...hidden, ...lines], run: marks.includes("run"), output: undefined }
      modules.push(current)
      hidden = []
    } else if (
      current?.run &&
      (language === "mermaid" ? !marks.includes("drawing") : language === "text" && marks.includes("output"))
    ) {
      current.output = [...(current.output ?? []), ...lines.map(({ text }) => text)]
    }
  }
  return modules
}

const place = ({ number, page }) => `${page}:${number}`

// -- compiling ----------------------------------------------------------------------------------------------------------

const fileOf = (module) => `${module.page.replace(/\W+/g, "-")}-${module.number}.ts`

const sources = Object.entries(entries.exports).flatMap(([name, { types }]) =>
  types === undefined ? [] : [[
    `${entries.name}${name.slice(1)}`,
    types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts")
  ]]
)

const compilerOptions = {
  target: "ES2022",
  lib: ["ES2023"],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  moduleDetection: "force",
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  paths: Object.fromEntries(sources.map(([name, file]) => [name, [`../${file}`]]))
}

const write = (modules) => {
  Fs.rmSync(work, { recursive: true, force: true })
  Fs.mkdirSync(work)
  Fs.writeFileSync(Path.join(work, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
  Fs.writeFileSync(Path.join(work, "package.json"), JSON.stringify({ type: "module" }))
  for (const module of modules) {
    Fs.writeFileSync(Path.join(work, fileOf(module)), module.lines.map(({ text }) => text).join("\n"))
  }
}

const typeErrors = (modules) => {
  const config = ts.parseJsonConfigFileContent({ compilerOptions, include: ["*.ts"] }, ts.sys, work)
  const program = ts.createProgram(config.fileNames, config.options)
  const byFile = new Map(modules.map((module) => [fileOf(module), module]))
  return ts.getPreEmitDiagnostics(program).flatMap((diagnostic) => {
    const module = diagnostic.file === undefined ? undefined : byFile.get(Path.basename(diagnostic.file.fileName))
    if (module === undefined) return []
    const { line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start)
    const at = module.lines[Math.min(line, module.lines.length - 1)] ?? module
    return [`${place(at)} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n  ")}`]
  })
}

// -- running ------------------------------------------------------------------------------------------------------------

const runner = `
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { format } from "node:util"

const real = console.log
for (const { file, output, place } of JSON.parse(process.argv[2])) {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "docs-check-"))
  process.chdir(directory)
  const lines = []
  for (const name of ["log", "info", "warn", "error", "debug"]) console[name] = (...args) => lines.push(format(...args))
  const timeout = new Promise((_, reject) => setTimeout(() => reject(new Error("it did not end within 5 minutes")), 300_000).unref())
  try {
    await Promise.race([import(file), timeout])
    if (output !== undefined && lines.join("\\n") !== output.join("\\n")) {
      throw new Error(["it prints", ...lines, "instead of", ...output].join("\\n"))
    }
  } catch (error) {
    real(place + " " + (error instanceof Error ? error.stack : String(error)))
    process.exitCode = 1
  }
  process.chdir(Os.tmpdir())
  Fs.rmSync(directory, { recursive: true, force: true })
}
process.exit()
`

/** All in one process, one after the other: starting a process costs more than most blocks. */
const runErrors = (modules) => {
  const runnable = modules.filter(({ run }) => run)
  if (runnable.length === 0) return []
  Fs.writeFileSync(Path.join(work, "runner.mjs"), runner)
  const plan = runnable.map((module) => ({
    file: Path.join(work, fileOf(module)),
    output: module.output,
    place: place(module)
  }))
  const tsx = Path.join(root, "node_modules/tsx/dist/cli.mjs")
  const { status, stderr, stdout } = ChildProcess.spawnSync(
    process.execPath,
    [tsx, "--tsconfig", Path.join(work, "tsconfig.json"), Path.join(work, "runner.mjs"), JSON.stringify(plan)],
    { cwd: work, encoding: "utf8" }
  )
  return status === 0 ? [] : [`${stdout}${stderr}`.trim()]
}

// -- commands and links -------------------------------------------------------------------------------------------------

const known = new Set(["cd", "createdb", "createuser", "kill", "psql", "git"])

const commandErrors = (blocks) =>
  blocks.filter(({ language }) => language === "sh").map(resolveAliases).flatMap(({ lines }) =>
    lines.filter(({ text }) => text.trim() !== "" && !text.startsWith("#")).flatMap((line) =>
      line.text.split("&&").flatMap((command) => {
        const problem = commandProblem(command.trim().split(/\s+/).filter((word) => !/^[A-Z_]+=/.test(word)))
        return problem === undefined ? [] : [`${place(line)} ${problem}`]
      })
    )
  )

/** `alias shop="npx …"` is checked as what it stands for, and so is every line that begins with `shop`. */
const resolveAliases = (block) => {
  const aliases = new Map(block.lines.flatMap(({ text }) => {
    const found = /^alias (\w+)="(.*)"$/.exec(text)
    return found === null ? [] : [[found[1], found[2]]]
  }))
  const resolved = (text) =>
    text.replace(/^alias \w+="(.*)"$/, "$1").replace(/^\w+/, (name) => aliases.get(name) ?? name)
  return {
    ...block,
    lines: block.lines.map((line) => ({ ...line, text: resolved(line.text.replace(/ {2,}#.*$/, "")) }))
  }
}

const commandProblem = ([program, ...words]) => {
  if (program === "npm") {
    const [verb, name] = words
    const script = verb === "run" ? name : verb === "start" || verb === "test" ? verb : undefined
    return script === undefined || script in entries.scripts ? undefined : `there is no script "${script}"`
  }
  if (program === "npx" || program === "node") {
    const files = words.filter((word) => /^(?!-).*\/.*\.(m?[jt]s|csv|json)$/.test(word) && !word.startsWith("@"))
    const missing = files.find((file) => !Fs.existsSync(Path.join(root, file)))
    return missing === undefined ? undefined : `there is no file ${missing}`
  }
  return known.has(program) || program?.startsWith(".ci/") ? undefined : `what is ${program}?`
}

const shellErrors = (blocks) =>
  blocks.filter(({ language, marks }) => language === "sh" && marks.includes("run")).flatMap((block) => {
    const script = block.lines.map(({ text }) => text).join("\n")
    const { status, stderr } = ChildProcess.spawnSync("bash", ["-ec", script], { cwd: root, encoding: "utf8" })
    return status === 0 ? [] : [`${place(block)} ends with ${status}: ${stderr.trim()}`]
  })

const anchorsOf = (page) =>
  Fs.readFileSync(page, "utf8").split("\n").filter((line) => /^#+ /.test(line)).map((line) =>
    line.replace(/^#+ /, "").toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").trim().replace(/ /g, "-")
  )

const linkErrors = (page) =>
  Fs.readFileSync(Path.join(root, page), "utf8").split("\n").flatMap((text, index) =>
    [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].flatMap(([, link]) => {
      const [file, anchor] = link.split("#")
      const path = file === "" ? Path.join(root, page) : Path.join(root, Path.dirname(page), file)
      const broken = !Fs.existsSync(path) || (anchor !== undefined && !anchorsOf(path).includes(anchor))
      return broken ? [`${page}:${index + 1} leads nowhere: ${link}`] : []
    })
  )

const all = pages.map(blocksOf)
const only = process.argv.slice(2)
const modules = all.flatMap(modulesOf).filter(({ page }) =>
  only.length === 0 || only.some((part) => page.includes(part))
)
write(modules)
try {
  const problems = [
    ...typeErrors(modules),
    ...runErrors(modules),
    ...all.flatMap(commandErrors),
    ...all.flatMap(shellErrors),
    ...pages.flatMap(linkErrors)
  ]
  for (const problem of problems) console.error(problem)
  console.log(
    problems.length === 0
      ? `docs: ${modules.length} modules compile, ${
        modules.filter(({ run }) => run).length
      } run, in ${pages.length} pages`
      : `docs: ${problems.length} problems`
  )
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  Fs.rmSync(work, { recursive: true, force: true })
}
