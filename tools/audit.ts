import { resolve } from 'node:path'

// Asks the registry for known vulnerabilities of what bun.lock pins. A registry that has no advisory service (a
// mirror, an offline one) is told as what it is: nothing was audited, and that is no fault of the change at hand.

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
// `error: POST <address> - 405`, or that it cannot be reached. A finding is a table of packages instead.
const unanswered = /^error: (?:POST \S+|.*(?:Unable to connect|ConnectionRefused|ConnectionClosed))/m.test(
  output,
)
if (unanswered) {
  console.log('Not audited: the registry does not answer for advisories.')
  process.exit(0)
}
console.error(output)
process.exit(1)
