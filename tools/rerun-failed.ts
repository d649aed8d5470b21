/**
 * Tells a broken test from one that needs a quiet machine: `bun tools/rerun-failed.ts reports/junit.xml`.
 *
 * Every test file with a failure in the report, or missing from it because it did not load, runs again, alone, three
 * times. If a file does not pass each time, its failures are written to reports/broken.txt and the exit code is 1. Failures
 * of the files that do pass are written to reports/unstable.txt: the run passes, and its summary names them. An unstable
 * test is a defect too.
 */
import { Glob } from 'bun'
import { readReport, type TestFailure } from './junit-report.ts'
import { separateTests } from './test-tiers.ts'

const rerunsOfFile = 3

const reportFile = Bun.argv[2] ?? ''
const report = await readReport(reportFile)
const unloaded = (await testFiles())
  .filter((file) => !report.files.has(file))
  .map((file) => ({ file, name: 'all tests', message: 'the file did not load' }))
const suspects = new Set([...report.failures, ...unloaded].map(({ file }) => file))
if (suspects.size === 0) throw new Error(`the tests failed, but ${reportFile} names no failure`)

const broken = new Set([...suspects].filter((file) => !passesAlone(file)))
await write(
  'reports/unstable.txt',
  report.failures.filter(({ file }) => !broken.has(file)),
)
await write(
  'reports/broken.txt',
  [...report.failures, ...unloaded].filter(({ file }) => broken.has(file)),
)
process.exitCode = broken.size > 0 ? 1 : 0

function passesAlone(file: string): boolean {
  console.log(`\n----- Again, alone: ${file}`)
  return Array.from({ length: rerunsOfFile }).every(
    () =>
      Bun.spawnSync([process.execPath, 'tools/test.ts', file], { stdout: 'inherit', stderr: 'inherit' })
        .success,
  )
}

async function testFiles(): Promise<string[]> {
  const all = await Array.fromAsync(new Glob('test/**/*.test.{ts,tsx}').scan('.'))
  return all.filter((file) => !separateTests.some((pattern) => new Glob(pattern).match(file)))
}

async function write(path: string, failures: TestFailure[]): Promise<void> {
  await Bun.write(path, failures.map(({ file, name, message }) => `${file}: ${name}: ${message}\n`).join(''))
}
