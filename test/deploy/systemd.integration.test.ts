import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'

test('the systemd unit starts the service again for as long as it fails to start', async () => {
  const unit = await Bun.file(join(root, 'deploy/systemd/tally.service')).text()
  const [unitSection = '', serviceSection = ''] = unit.split('[Service]')
  // No start limit. The setting belongs in [Unit]; systemd ignores it elsewhere.
  expect(unitSection).toMatch(/^StartLimitIntervalSec=0$/m)
  expect(serviceSection).not.toContain('StartLimit')
  expect(serviceSection).toMatch(/^Restart=always$/m)
  // A restart does not fix an invalid environment, for which the service exits with 78.
  expect(serviceSection).toMatch(/^RestartPreventExitStatus=78$/m)
})

describe.skipIf(!hasProgram('systemd-analyze', 'systemd'))('the systemd unit', () => {
  let directory = ''
  let unit = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'unit-'))
    unit = join(directory, 'tally.service')
    const shipped = await Bun.file(join(root, 'deploy/systemd/tally.service')).text()
    // systemd-analyze checks that the program exists; here it has another path.
    await Bun.write(unit, shipped.replace('/usr/local/bin/bun', process.execPath))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test('is valid for systemd, without a warning', async () => {
    expect(await runCommand(['systemd-analyze', 'verify', '--man=no', unit])).toMatchObject({
      exitCode: 0,
      output: '',
    })
  })

  test('restricts the service tightly', async () => {
    // In tenths. Most of the rest is that the service uses the network. 15 is well within "OK" (below 50).
    const { exitCode, output } = await runCommand([
      'systemd-analyze',
      'security',
      '--offline=true',
      '--threshold=15',
      unit,
    ])
    expect([exitCode, output.match(/Overall exposure level.*/)?.[0]]).toEqual([
      0,
      expect.stringContaining('OK'),
    ])
  })
})
