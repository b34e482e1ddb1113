/**
 * Prints the counts of a vitest JSON report as `N passed, N failed`, behind the name and the first lines of each failure: who
 * reads only the end of the output should know what to look at. Fails when a test failed or none ran.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const report = JSON.parse(Fs.readFileSync(process.argv[2], "utf8"))
// A file that cannot be loaded has no tests to count, but it did fail.
const brokenFiles = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0)
for (const { assertionResults, message, name } of report.testResults) {
  const failures = assertionResults.filter(({ status }) => status === "failed")
  const texts = failures.map(({ failureMessages, fullName }) => `${fullName}\n${failureMessages.join("\n")}`)
  for (const text of failures.length === 0 && brokenFiles.some((file) => file.name === name) ? [message] : texts) {
    console.log(`FAILED ${Path.relative(process.cwd(), name)}: ${text.split("\n").slice(0, 12).join("\n  ")}\n`)
  }
}

const failed = report.numFailedTests + brokenFiles.length

console.log(`${report.numPassedTests} passed, ${failed} failed`)
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1
