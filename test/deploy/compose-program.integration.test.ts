import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'

describe('deploy/docker/compose.sh', () => {
  /** Runs the script with only these programs on the PATH. Each prints its name and arguments. */
  async function runWith(programs: Record<string, string>, env: Record<string, string> = {}) {
    const directory = await mkdtemp(join(tmpdir(), 'tally-compose-'))
    try {
      for (const [name, script] of Object.entries(programs)) {
        await Bun.write(join(directory, name), `#!/bin/sh\n${script}\n`)
        await chmod(join(directory, name), 0o755)
      }
      return await runCommand(['deploy/docker/compose.sh', 'up'], {
        cwd: root,
        env: { PATH: `${directory}:/usr/bin:/bin`, CONTAINER: 'engine-of-test', ...env },
      })
    } finally {
      await rm(directory, { recursive: true })
    }
  }

  const withoutPlugin = { 'engine-of-test': 'exit 1' }

  test('rejects Compose 1.x and names the required version', async () => {
    const { exitCode, output } = await runWith({
      ...withoutPlugin,
      'docker-compose':
        'case "$*" in version*) echo 1.29.2;; *help*) echo "  --build";; *) echo started;; esac',
      'podman-compose': 'exit 1',
    })
    expect(exitCode).toBe(1)
    expect(output).toContain('Compose 2.1.1 or later is needed')
    expect(output).toContain('docker-compose 1.29.2 is too old')
    expect(output).not.toContain('started')
  })

  test('prefers the plugin of the engine to a program that supports --wait', async () => {
    const compose =
      'case "$*" in *version*) echo 2.40.3;; *help*) echo "  --wait";; *) echo "started $0";; esac'
    const plugin = await runWith({ 'engine-of-test': compose, 'docker-compose': 'exit 1' })
    expect([plugin.exitCode, plugin.output]).toEqual([0, expect.stringContaining('engine-of-test')])
    const program = await runWith({ ...withoutPlugin, 'docker-compose': compose })
    expect([program.exitCode, program.output]).toEqual([0, expect.stringContaining('docker-compose')])
  })

  test('with Podman, uses its socket, publishes on an address that it takes, and warns where no systemd runs the health checks', async () => {
    const { exitCode, output } = await runWith(
      {
        'podman-of-test': 'case $1 in info) echo /run/of-test.sock;; *) exit 1;; esac',
        'docker-compose':
          'case "$*" in version*) echo 2.40.3;; *help*) echo "  --wait";; *) echo "started on $DOCKER_HOST for $PUBLISH";; esac',
        podman: 'case $1 in info) echo /run/of-test.sock;; esac',
      },
      { CONTAINER: 'podman-of-test' },
    )
    expect([exitCode, output]).toEqual([
      0,
      expect.stringContaining('started on unix:///run/of-test.sock for 127.0.0.1'),
    ])
    const warning = 'Podman runs health checks by systemd'
    expect(output.includes(warning)).toBe(!existsSync('/run/systemd/system'))
  })
})
