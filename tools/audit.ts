import { resolve } from 'node:path'

// Queries the registry for known vulnerabilities of the packages in bun.lock. If the registry has no advisory service (a
// mirror, an offline registry), prints that and passes: this is not a defect of the change under test.

const child = Bun.spawn([process.execPath, 'audit'], {
  cwd: resolve(import.meta.dir, '..'),
  stdin: 'ignore',
  stdout: 'pipe',
  stderr: 'pipe',
})
const [exitCode, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
const output = `${out}${err}`.trim()
if (exitCode === 0) {
  console.log(output)
  process.exit(0)
}
// `error: POST <address> - 405`, or a connection error. Findings are a table of packages instead.
const unavailable = /^error: (?:POST \S+|.*(?:Unable to connect|ConnectionRefused|ConnectionClosed))/m.test(
  output,
)
if (unavailable) {
  console.log('Not audited: the registry has no advisory service.')
  process.exit(0)
}
console.error(output)
process.exit(1)
