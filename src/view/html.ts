/**
 * The one way in which text becomes markup. Whatever is put into `html` is text, unless it was made by `html` itself; so
 * nothing that a record, a name or an error contains can become an element, an attribute or a script.
 */

/** Markup that was made here. */
export class Html {
  constructor(readonly markup: string) {}
  toString(): string {
    return this.markup
  }
}

/** What may stand in a template: nothing, text, numbers, markup, and lists of these. */
export type Part = Html | string | number | false | undefined | null | ReadonlyArray<Part>

/**
 * Markup with values in it. Attributes must be quoted in the template: `href="${url}"`. A URL must begin in the template,
 * too, so that no value chooses its scheme.
 */
export const html = (template: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html => {
  let markup = template[0]!
  parts.forEach((part, index) => {
    markup += toMarkup(part) + template[index + 1]!
  })
  return new Html(markup)
}

/** Text that is known when the program is written: a style sheet, a script. */
export const trusted = (markup: string): Html => new Html(markup)

/** One part of a path or a query. Half of a character, which no URL holds, becomes the character for that. */
export const urlPart = (value: string | number): string =>
  encodeURIComponent(String(value).replace(/[\ud800-\udfff]/gu, "\uFFFD"))

/**
 * A name as one part of a path. What is called `.` or `..` would be a way to elsewhere, however it is escaped: such names,
 * and those that look like it, have a `~` in front.
 */
export const namePart = (name: string): string => urlPart(inPath(name))

/** The same, before it is escaped. */
export const inPath = (name: string): string => /^(~|\.{1,2}$)/.test(name) ? `~${name}` : name

/** Back from it. */
export const nameOf = (part: string): string => part.startsWith("~") ? part.slice(1) : part

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const toMarkup = (part: Part): string => {
  if (part === undefined || part === null || part === false) {
    return ""
  }
  if (part instanceof Html) {
    return part.markup
  }
  return Array.isArray(part) ? part.map(toMarkup).join("") : escape(String(part))
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;"
}

/** Control characters, and those that turn the direction of text around, are shown instead of obeyed. */
const escape = (text: string): string =>
  text
    .replace(
      /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
      "\uFFFD"
    )
    .replace(/[&<>"']/g, (char) => ENTITIES[char]!)
