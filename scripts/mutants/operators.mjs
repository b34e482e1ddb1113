/**
 * Small mistakes that people make, planted in a source file one at a time: off by one, a comparison turned round, a
 * statement left out, arguments swapped, a case forgotten, a lock or an undo dropped, a field of a new state not set.
 *
 * Pure: text in, mutants out. Only what runs is touched, never types or messages.
 */
import ts from "typescript"

/** @typedef {{ operator: string, start: number, end: number, text: string }} Change */

const { SyntaxKind: Kind } = ts

const flips = new Map([
  [Kind.LessThanToken, "<="],
  [Kind.LessThanEqualsToken, "<"],
  [Kind.GreaterThanToken, ">="],
  [Kind.GreaterThanEqualsToken, ">"],
  [Kind.EqualsEqualsEqualsToken, "!=="],
  [Kind.ExclamationEqualsEqualsToken, "==="],
  [Kind.AmpersandAmpersandToken, "||"],
  [Kind.BarBarToken, "&&"],
  [Kind.MinusToken, "+"],
  [Kind.PlusEqualsToken, "-="],
  [Kind.AsteriskToken, "/"]
])

const isText = (node) =>
  ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) ||
  (ts.isBinaryExpression(node) && (isText(node.left) || isText(node.right)))

/** What runs around or behind something: whoever forgets it leaves the first argument. */
const around = new Set([
  "ensuring",
  "ensuringWith",
  "onError",
  "onExit",
  "onInterrupt",
  "tap",
  "tapError",
  "tapErrorCause",
  "uninterruptible",
  "zipLeft"
])

const nameOf = (callee) => ts.isPropertyAccessExpression(callee) ? callee.name.text : undefined

/** What a function works in comes first, and has a type of its own: nobody swaps it without hearing from the compiler. */
const places = new Set(["env", "kept", "repository", "run", "self", "session", "state", "write"])

const isSimple = (node) =>
  ts.isIdentifier(node) || ts.isPropertyAccessExpression(node) || ts.isCallExpression(node) ||
  ts.isNumericLiteral(node)

/** Clauses of SQL that keep others out. */
const clauses = [
  ["a lock of a statement", / for update( skip locked)?| for share/g],
  ["a condition of a statement", /\band [^$\n]*?(=|<|in) \$\{[^{}]*\}/g]
]

const operators = {
  comparison: (node, at) => {
    if (!ts.isBinaryExpression(node)) return []
    const { left, operatorToken, right } = node
    const flipped = flips.get(operatorToken.kind)
    if (flipped !== undefined) return [at(operatorToken, flipped)]
    if (operatorToken.kind === Kind.PlusToken && !isText(node)) return [at(operatorToken, "-")]
    return operatorToken.kind === Kind.QuestionQuestionToken
      ? [at(node, left.getText()), at(node, right.getText())]
      : []
  },
  "off by one": (node, at) =>
    ts.isNumericLiteral(node) && !ts.isLiteralTypeNode(node.parent) && Number(node.text) < 1e6
      ? [at(node, String(Number(node.text) + 1))]
      : [],
  step: (node, at) => {
    const isStep = ts.isPostfixUnaryExpression(node) || ts.isPrefixUnaryExpression(node)
    if (!isStep) return []
    if (node.operator === Kind.ExclamationToken) return [at(node, node.operand.getText())]
    const text = node.getText()
    if (node.operator === Kind.PlusPlusToken) return [at(node, text.replace("++", "--"))]
    return node.operator === Kind.MinusMinusToken ? [at(node, text.replace("--", "++"))] : []
  },
  "forgotten case": (node, at) => {
    if (ts.isConditionalExpression(node)) return [at(node, node.whenTrue.getText()), at(node, node.whenFalse.getText())]
    if (ts.isIfStatement(node)) return [at(node.expression, "false"), at(node.expression, "true")]
    if (ts.isCaseClause(node)) return [at(node, "")]
    return []
  },
  "dropped statement": (node, at) =>
    ts.isExpressionStatement(node) && !/\bEffect\.log/.test(node.getText()) ? [at(node, ";")] : [],
  "swapped statements": (node, at) => {
    if (!ts.isBlock(node)) return []
    const { statements } = node
    return statements.slice(1).flatMap((second, index) => {
      const first = statements[index]
      return ts.isExpressionStatement(first) && ts.isExpressionStatement(second)
        ? [{ ...at(first, ""), end: second.getEnd(), text: `${second.getText()}\n;${first.getText()}` }]
        : []
    })
  },
  "swapped arguments": (node, at) => {
    if (!ts.isCallExpression(node) || node.arguments.length < 2) return []
    const [first, second] = node.arguments
    const callee = node.expression.getText()
    const isTyped = places.has(first.getText()) || (callee.startsWith("Effect.") && !callee.startsWith("Effect.zip"))
    return !isTyped && isSimple(first) && isSimple(second) && first.getText() !== second.getText()
      ? [{ ...at(first, ""), end: second.getEnd(), text: `${second.getText()}, ${first.getText()}` }]
      : []
  },
  "dropped step": (node, at) => {
    if (!ts.isCallExpression(node) || node.arguments.length === 0) return []
    const name = nameOf(node.expression)
    const [first, second] = node.arguments
    if (
      around.has(name) && node.parent.arguments?.includes(node) &&
      ts.isPropertyAccessExpression(node.parent.expression) &&
      node.parent.expression.name.text === "pipe"
    ) {
      return [at(node, "(self) => self")]
    }
    if (around.has(name) && (second !== undefined || name === "uninterruptible")) return [at(node, first.getText())]
    if (name === "zipRight" && second !== undefined) return [at(node, second.getText())]
    const inner = node.expression
    return ts.isCallExpression(inner) && nameOf(inner.expression) === "withPermits" ? [at(node, first.getText())] : []
  },
  "forgotten field": (node, at) =>
    ts.isObjectLiteralExpression(node) && node.properties.some(ts.isSpreadAssignment)
      ? node.properties.filter((property) => !ts.isSpreadAssignment(property)).map((property) => {
        const comma = node.getSourceFile().text[property.getEnd()] === "," ? 1 : 0
        return { ...at(property, ""), end: property.getEnd() + comma }
      })
      : [],
  "lost elements": (node, at) =>
    ts.isArrayLiteralExpression(node) && node.elements.length > 1 && node.elements.some(ts.isSpreadElement)
      ? [
        at(node, `[${node.elements.slice(1).map((element) => element.getText()).join(", ")}]`),
        at(node, `[${[...node.elements].reverse().map((element) => element.getText()).join(", ")}]`)
      ]
      : [],
  "opened fence": (node, at) => {
    const isLiteral = ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node) ||
      ts.isStringLiteral(node)
    if (!isLiteral) return []
    const text = node.getText()
    return clauses.flatMap(([, pattern]) =>
      [...text.matchAll(pattern)].map((match) => ({
        ...at(node, ""),
        start: node.getStart() + match.index,
        end: node.getStart() + match.index + match[0].length
      }))
    )
  }
}

/** Parts of a file in which nothing runs. */
const isInert = (node) =>
  ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ||
  ts.isImportDeclaration(node) || ts.isExportDeclaration(node)

/** Every mutant of a source text, in the order of the text; each with its line and what stood there. */
export const mutantsOf = (text) => {
  const source = ts.createSourceFile("source.ts", text, ts.ScriptTarget.Latest, true)
  const found = new Map()
  const visit = (node) => {
    if (isInert(node)) return
    for (const [operator, plant] of Object.entries(operators)) {
      const at = (place, replacement) => ({ start: place.getStart(), end: place.getEnd(), text: replacement })
      for (const change of plant(node, at)) {
        const before = text.slice(change.start, change.end)
        const key = `${change.start} ${change.end} ${change.text}`
        if (before !== change.text && !found.has(key)) {
          const line = source.getLineAndCharacterOfPosition(change.start).line + 1
          found.set(key, { operator, line, before, ...change })
        }
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return [...found.values()].sort((one, other) => one.start - other.start || one.end - other.end)
}

/** The text with the mutant in it. */
export const plant = (text, { end, start, text: replacement }) => text.slice(0, start) + replacement + text.slice(end)
