/**
 * Finds the module of a thread. Code names it as it is called when it is compiled, `new URL("./score.js", import.meta.url)`;
 * where the source runs, as in tests, the file is `score.ts`.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"

/** - `entry`: what a thread starts with, which loads the module. */
export interface Module {
  readonly url: URL
  readonly entry: URL
}

/** Nothing when there is no such file. */
export const findModule = (url: URL): Module | undefined => {
  if (url.protocol !== "file:") {
    return { url, entry: url }
  }
  const source = new URL(url.href.replace(/\.(m|c)?js($|\?|#)/, ".$1ts$2"))
  const found = [url, source].find((candidate) => existsSync(fileURLToPath(candidate)))
  return found && { url: found, entry: isTypeScript(found) ? loading(found) : found }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isTypeScript = (url: URL): boolean => /\.[mc]?ts$/.test(url.pathname)

/**
 * Threads do not have the loader of this process, neither that of tsx nor that of Vitest, so they register that of tsx. Where
 * there is none, Node takes TypeScript as it is, or says that it does not.
 */
const loading = (url: URL): URL => {
  const tsx = tsxFor(url)
  return tsx === undefined ? url : new URL(
    `data:text/javascript,${
      encodeURIComponent(
        `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(url.href)})`
      )
    }`
  )
}

const tsxFor = (url: URL): string | undefined => {
  try {
    const required = createRequire(url).resolve("tsx/esm/api")
    return pathToFileURL(required.replace(/\.cjs$/, ".mjs")).href
  } catch {
    return undefined
  }
}
