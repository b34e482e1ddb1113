/** Prints the counts of a vitest JSON report as `N passed, N failed`; fails when a test failed or none ran. */
import * as Fs from "node:fs"

const report = JSON.parse(Fs.readFileSync(process.argv[2], "utf8"))
// A file that cannot be loaded has no tests to count, but it did fail.
const brokenFiles = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0)
const failed = report.numFailedTests + brokenFiles.length

console.log(`${report.numPassedTests} passed, ${failed} failed`)
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1
