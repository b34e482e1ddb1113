/**
 * Which test files reach which function of src/, so that a mutant is tried by the tests that can notice it.
 *
 * For one run of the tests every function notes that it was called; what each test file has called, and how long it took,
 * is kept in .mutants-reach.json, which Git ignores. A source file that has changed since then counts as a whole.
 */
import * as Fs from "node:fs"
import ts from "typescript"

/** Pure: the functions with a body in a source text, each by where it begins. */
const functionsIn = (text) => {
  const source = ts.createSourceFile("source.ts", text, ts.ScriptTarget.Latest, true)
  const found = []
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) found.push({ start: node.getStart(), end: node.end, node })
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The text in which every function first notes that it was called. */
export const instrumented = (file, text) => {
  const inserts = functionsIn(text).flatMap(({ node, start }) => {
    const note = `globalThis.__reached?.add(${JSON.stringify(`${file}:${start}`)})`
    return ts.isBlock(node.body)
      ? [{ at: node.body.getStart() + 1, text: `${note};` }]
      : [{ at: node.body.getStart(), text: `(${note},` }, { at: node.body.end, text: ")" }]
  })
  // From behind, so that places in front stay; of two at the same place the outer one comes first in the text.
  return inserts.map((insert, order) => ({ ...insert, order }))
    .sort((one, other) => other.at - one.at || (one.text === ")" ? one.order - other.order : other.order - one.order))
    .reduce((result, { at, text }) => result.slice(0, at) + text + result.slice(at), text)
}

/** Where the innermost function around a place begins; none at the top of the module. */
const functionAround = (text, place) =>
  functionsIn(text).filter(({ end, start }) => start <= place && place < end).sort((a, b) => b.start - a.start)[0]
    ?.start

/** The tests that reach the function around a mutant, as path and time; undefined where nothing is known. */
export const testsReaching = (reach, hash, text, { file, start }) => {
  if (reach.sources?.[file] === undefined) return undefined
  const around = reach.sources[file] === hash ? functionAround(text, start) : undefined
  const key = `${file}:${around ?? ""}`
  const isReached = around === undefined
    ? ({ reached }) => reached.some((name) => name.startsWith(key))
    : ({ reached }) => reached.includes(key)
  return Object.entries(reach.tests).filter(([, test]) => isReached(test)).map(([test, { millis }]) => ({
    test,
    millis
  }))
}

/** What the workers have written into a folder, one file for each test file. */
export const collect = (folder) =>
  Object.fromEntries(
    Fs.readdirSync(folder).map((name) => JSON.parse(Fs.readFileSync(`${folder}/${name}`, "utf8")))
      .map(({ millis, reached, test }) => [test, { millis, reached }])
  )
