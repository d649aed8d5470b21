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
  // Without a limit of starts, which belongs into [Unit]: systemd ignores it elsewhere.
  expect(unitSection).toMatch(/^StartLimitIntervalSec=0$/m)
  expect(serviceSection).not.toContain('StartLimit')
  expect(serviceSection).toMatch(/^Restart=always$/m)
  // A wrong environment stays wrong: 78 is what the service exits with.
  expect(serviceSection).toMatch(/^RestartPreventExitStatus=78$/m)
})

describe.skipIf(!hasProgram('systemd-analyze', 'systemd'))('the systemd unit', () => {
  let directory = ''
  let unit = ''
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'unit-'))
    unit = join(directory, 'tally.service')
    const shipped = await Bun.file(join(root, 'deploy/systemd/tally.service')).text()
    // The verification looks whether the program is there; here it is somewhere else.
    await Bun.write(unit, shipped.replace('/usr/local/bin/bun', process.execPath))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test('is valid for systemd, without a warning', async () => {
    expect(await runCommand(['systemd-analyze', 'verify', '--man=no', unit])).toMatchObject({
      exitCode: 0,
      output: '',
    })
  })

  test('leaves the service little to do harm with', async () => {
    // In tenths. Of what is left most is being a network service; 15 is far on the side of "OK" (below 50).
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
