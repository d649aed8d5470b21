/**
 * Distinguishes broken tests from tests that fail only on a busy machine: `bun tools/rerun-failed.ts reports/junit.xml`.
 *
 * Runs every test file with a failure in the report, or missing from it because it did not load, three more times, alone.
 * If a file does not pass each time, writes its failures to reports/broken.txt and exits with 1. Writes the failures of
 * the other files to reports/unstable.txt: the run passes, and its summary names them. An unstable test is a defect too.
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
  console.log(`\n----- Rerunning alone: ${file}`)
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
