/**
 * Formatting of parse issues without sensitive values.
 *
 * The path of an issue is followed through the Schema, rather than trusting the nodes that the issue itself names:
 * unions and user code report nodes that lost the mark, or that never had it.
 */
import * as ParseResult from "effect/ParseResult"
import type * as AST from "effect/SchemaAST"
import { contains, fieldsOf, isMarked, parts, placeholder } from "./sensitiveAst.js"

interface Issue {
  readonly path: string
  readonly message: string
}

/** @internal */
export const compile = (ast: AST.AST) => (issue: ParseResult.ParseIssue): ReadonlyArray<Issue> =>
  format(issue, [], [ast]).map(({ message, path }) => ({ message, path: formatPath(path) }))

/**
 * `address.lines[0]`, as a person writes it.
 *
 * @internal
 */
export const formatPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === "number") {
      return `${text}[${key}]`
    }
    return text === "" ? String(key) : `${text}.${String(key)}`
  }, "")

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Found {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

/** `nodes` are the parts of the Schema that describe the value at `path`; none if the Schema does not know it. */
const format = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<PropertyKey>,
  nodes: ReadonlyArray<AST.AST>
): ReadonlyArray<Found> => {
  if (!nodes.some(contains)) {
    return ParseResult.ArrayFormatter.formatIssueSync(issue).map((found) => ({
      path: [...path, ...found.path],
      message: found.message
    }))
  }
  if (nodes.some(marked)) {
    return [{ path: [...path, ...pathOf(issue)], message: hidden(issue) }]
  }
  switch (issue._tag) {
    case "Pointer": {
      const keys = keysOf(issue.path)
      return format(issue.issue, [...path, ...keys], keys.reduce((inner, key) => inner.flatMap(child(key)), nodes))
    }
    case "Composite":
      return issuesOf(issue).flatMap((inner) => format(inner, path, nodes))
    case "Refinement":
      return issue.kind === "From" ? format(issue.issue, path, nodes) : [opaque(issue, path)]
    case "Transformation":
      return issue.kind === "Transformation" ? [opaque(issue, path)] : format(issue.issue, path, nodes)
    default:
      return [{ path, message: hidden(issue) }]
  }
}

/** What a filter or a transformation of the user reports: its text may quote any part of the value. */
const opaque = (
  issue: ParseResult.Refinement | ParseResult.Transformation,
  path: ReadonlyArray<PropertyKey>
): Found => ({ path: [...path, ...pathOf(issue.issue)], message: hidden(issue) })

const hidden = (issue: ParseResult.ParseIssue): string => {
  switch (issue._tag) {
    case "Missing":
      return "is missing"
    case "Unexpected":
      return "is unexpected"
    case "Pointer":
      return hidden(issue.issue)
    default:
      return `Expected ${issue.ast}, actual ${placeholder}`
  }
}

const pathOf = (issue: ParseResult.ParseIssue): ReadonlyArray<PropertyKey> =>
  issue._tag === "Pointer" ? [...keysOf(issue.path), ...pathOf(issue.issue)] : []

const keysOf = (path: ParseResult.Path): ReadonlyArray<PropertyKey> => isMany<PropertyKey>(path) ? path : [path]

const issuesOf = (issue: ParseResult.Composite): ReadonlyArray<ParseResult.ParseIssue> =>
  isMany<ParseResult.ParseIssue>(issue.issues) ? issue.issues : [issue.issues]

const isMany = <A>(self: A | ReadonlyArray<A>): self is ReadonlyArray<A> => Array.isArray(self)

/** Whether the value itself is sensitive, in one of the ways in which it may be read. */
const marked = (ast: AST.AST): boolean => {
  switch (ast._tag) {
    case "Union":
    case "Refinement":
    case "Suspend":
    case "Transformation":
      return isMarked(ast) || parts(ast).some(marked)
    default:
      return isMarked(ast)
  }
}

const child = (key: PropertyKey) => (ast: AST.AST): ReadonlyArray<AST.AST> => {
  switch (ast._tag) {
    case "TypeLiteral": {
      const named = ast.propertySignatures.filter((signature) => signature.name === key)
      return (named.length > 0 ? named : ast.indexSignatures).map((signature) => signature.type)
    }
    case "TupleType": {
      const element = typeof key === "number" ? ast.elements[key] : undefined
      return (element === undefined ? ast.rest : [element]).map((part) => part.type)
    }
    case "Transformation":
      return transformed(ast, key)
    case "Declaration":
      return declared(ast, key)
    default:
      return parts(ast).flatMap(child(key))
  }
}

/** A side that knows nothing of the marks of the other one may hold what was marked anywhere. */
const transformed = (ast: AST.Transformation, key: PropertyKey): ReadonlyArray<AST.AST> => {
  const inner = [ast.from, ast.to].flatMap(child(key))
  return contains(ast.from) === contains(ast.to) ? inner : [...inner, ast]
}

/** The fields of a Schema class are at its own keys; in other declared types an item may be at any key. */
const declared = (ast: AST.Declaration, key: PropertyKey): ReadonlyArray<AST.AST> => {
  const fields = typeof key === "string" ? fieldsOf(ast) : undefined
  return fields === undefined
    ? ast.typeParameters.flatMap((parameter) => [parameter, ...child(key)(parameter)])
    : child(key)(fields)
}
