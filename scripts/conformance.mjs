/**
 * Writes docs/conformance.md: one row per rule of behaviour, how it compares with Spring Batch, and the test that shows it.
 *
 *   node scripts/conformance.mjs                        writes the report
 *   node scripts/conformance.mjs --check                fails when the report is out of date
 *   node scripts/conformance.mjs --check report.json    fails as well when a test that it names did not run and pass
 *
 * The rules are in conformance-rules.txt. A test shows a rule when its title, or that of a group around it, names the id,
 * or when the table assigns it.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const target = "docs/conformance.md"

const relations = {
  "=": "same as Spring Batch 4, 5 and 6",
  "=6": "same as 6",
  "=45": "same as 4 and 5",
  "!": "deliberately different",
  "-": "does not apply",
  later: "not built yet"
}

// -- the rules ----------------------------------------------------------------------------------------------------------

const problems = []

const readRules = () => {
  const groups = []
  const others = []
  const lines = Fs.readFileSync(Path.join(root, "scripts/conformance-rules.txt"), "utf8").split("\n")
  lines.forEach((line, index) => {
    const fields = line.split(" | ")
    if (line.startsWith("## ")) {
      groups.push({ title: line.slice(3), rules: [] })
    } else if (line.startsWith("@ ")) {
      others.push({ id: fields[0].slice(2), title: fields.slice(1).join(" | ") })
    } else if (line !== "" && !line.startsWith("#")) {
      const [id, relation, text, why] = fields
      const needsWhy = relation === "!" || relation === "-"
      if (!(relation in relations) || text === undefined || needsWhy !== (why !== undefined)) {
        problems.push(`scripts/conformance-rules.txt:${index + 1} is not "id | relation | behaviour [| why]"`)
      } else {
        groups.at(-1).rules.push({ id, relation, text, why })
      }
    }
  })
  return { groups, others }
}

// -- the tests ----------------------------------------------------------------------------------------------------------

const filesBelow = (folder) =>
  Fs.readdirSync(Path.join(root, folder), { recursive: true })
    .map((file) => `${folder}/${file.split(Path.sep).join("/")}`)
    .filter((file) => file.endsWith(".ts"))
    .sort()

/** The text of a literal; what a template computes stays open. */
const textOf = (node) => {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left), textOf(node.right)]
    return left === undefined || right === undefined ? undefined : left + right
  }
  if (!ts.isTemplateExpression(node)) return undefined
  return node.head.text + node.templateSpans.map(({ literal }) => `\${…}${literal.text}`).join("")
}

const idsIn = (text) => [...text.matchAll(/\b[A-Z][A-Z0-9]*-\d+[a-z]?\b/g)].map(([id]) => id)

/** Every title in the tests, in the exported suite too: what a test or a group is called, directly or in a table. */
const readTitles = () =>
  [...filesBelow("test"), ...filesBelow("src/testing/jobRepository")].flatMap((file) => {
    const text = Fs.readFileSync(Path.join(root, file), "utf8")
    const titles = []
    const visit = (node) => {
      const title = textOf(node)
      if (title === undefined) ts.forEachChild(node, visit)
      else if (/\s/.test(title)) titles.push({ file, title })
    }
    visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
    return titles
  })

// -- the report ---------------------------------------------------------------------------------------------------------

const cell = (text) => text.replaceAll("|", "\\|")

const shown = (tests) => {
  if (tests.length === 0) return "**none**"
  const links = tests.slice(0, 3).map(({ file, title }) => `[${cell(title.replaceAll("${…}", "…"))}](../${file})`)
  return links.join("<br>") + (tests.length > 3 ? `<br>and ${tests.length - 3} more` : "")
}

const row = ({ id, relation, tests, text, why }) =>
  `| ${id} | ${cell(text)} | ${relations[relation]}${why === undefined ? "" : `: ${cell(why)}`} | ${
    relation === "later" || relation === "-" ? "" : shown(tests)
  } |`

const render = (groups) => {
  const rules = groups.flatMap((group) => group.rules)
  const count = (...kinds) => rules.filter(({ relation }) => kinds.includes(relation)).length
  const applying = rules.filter(({ relation }) => relation !== "later" && relation !== "-")
  const untested = applying.filter(({ tests }) => tests.length === 0)
  const named = applying.filter(({ tests }) => tests.some(({ assigned }) => !assigned))
  return [
    "# Conformance",
    "",
    "How this library behaves, rule by rule, compared with Spring Batch 4, 5 and 6, and the test that shows it. Written by",
    "`npm run conformance` from [the table of rules](../scripts/conformance-rules.txt) and the titles of the tests; the",
    "continuous integration fails when it is out of date, or when a test named here did not pass.",
    "",
    "| | rules |",
    "|---|---:|",
    `| all | ${rules.length} |`,
    `| do not apply, with the reason | ${count("-")} |`,
    `| not built yet | ${count("later")} |`,
    `| **apply** | **${applying.length}** |`,
    `| of these shown by a test | **${applying.length - untested.length}** |`,
    `| – by one whose title names the rule | ${named.length} |`,
    `| – only by one that the table of rules assigns | ${applying.length - untested.length - named.length} |`,
    `| **without a test** | **${untested.length}** |`,
    `| the same as in Spring Batch 4, 5 and 6 | ${count("=")} |`,
    `| the same as in 6, where 4 and 5 differ | ${count("=6")} |`,
    `| the same as in 4 and 5, where 6 differs | ${count("=45")} |`,
    `| deliberately different, with the reason | ${count("!")} |`,
    "",
    ...(untested.length === 0
      ? []
      : [`Without a test: ${untested.map(({ id }) => id).join(", ")}.`, ""]),
    ...groups.flatMap(({ rules, title }) => [
      `## ${title}`,
      "",
      "| rule | behaviour | compared with Spring Batch | shown by |",
      "|---|---|---|---|",
      ...rules.map(row),
      ""
    ])
  ].join("\n")
}

// -- the run ------------------------------------------------------------------------------------------------------------

/** The tests that the report names and that a run did not confirm. */
const unconfirmed = (groups, path) => {
  const results = JSON.parse(Fs.readFileSync(path, "utf8")).testResults.flatMap((file) => file.assertionResults)
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const fits = (title) => {
    const pattern = new RegExp(`^${title.split(/\$\{…\}|%[sjdif]/).map(escaped).join(".*")}$`, "s")
    return (result) => [...result.ancestorTitles, result.title].some((name) => pattern.test(name))
  }
  const titles = new Map(
    groups.flatMap(({ rules }) => rules).flatMap(({ id, tests }) => tests.map((t) => [t.title, id]))
  )
  return [...titles].flatMap(([title, id]) => {
    const found = results.filter(fits(title))
    if (found.length === 0) return [`${id}: no test is called "${title}"`]
    return found.some(({ status }) => status !== "passed") ? [`${id}: "${title}" did not pass`] : []
  })
}

const { groups, others } = readRules()
const titles = readTitles()
const byId = new Map()
for (const { file, title } of titles) {
  for (const id of new Set(idsIn(title))) byId.set(id, [...(byId.get(id) ?? []), { file, title }])
}
for (const { id, title } of others) {
  const found = titles.find((known) => known.title === title)
  if (found === undefined) {
    problems.push(`scripts/conformance-rules.txt: ${id} names a test that does not exist: ${title}`)
  } else byId.set(id, [...(byId.get(id) ?? []), { ...found, assigned: true }])
}
const complete = groups.map((group) => ({
  ...group,
  rules: group.rules.map((rule) => ({ ...rule, tests: byId.get(rule.id) ?? [] }))
}))
const ids = groups.flatMap(({ rules }) => rules.map(({ id }) => id))
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`${id} is there twice`)
for (const { id } of others) if (!ids.includes(id)) problems.push(`there is no rule ${id}`)

const [mode, report] = process.argv.slice(2)
const text = render(complete)
const path = Path.join(root, target)
if (mode !== "--check") {
  Fs.writeFileSync(path, text)
} else if (!Fs.existsSync(path) || Fs.readFileSync(path, "utf8") !== text) {
  problems.push(`${target} is out of date: npm run conformance`)
}
if (report !== undefined) problems.push(...unconfirmed(complete, report))
for (const problem of problems) console.error(problem)
console.log(/^\| \*\*without.*$/m.exec(text)[0].replaceAll(/[|*]/g, "").trim())
process.exitCode = problems.length === 0 ? 0 : 1
