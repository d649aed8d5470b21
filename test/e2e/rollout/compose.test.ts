import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../support/command.ts'

/** Runs `make roll`'s script against a balancer with these states, and a Compose that records its arguments. */
async function roll(states: Record<string, string>, failing = '') {
  const directory = await mkdtemp(join(tmpdir(), 'tally-roll-'))
  const rows = Object.entries(states).map(([name, status]) => `api,${name},0,${status}`)
  const balancer = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => new Response(['# pxname,svname,scur,status', ...rows, ''].join('\n')),
  })
  try {
    const compose = join(directory, 'compose')
    await Bun.write(
      compose,
      `#!/bin/sh\necho "$@" >> ${directory}/words\nfor last; do :; done\n[ "$last" != "${failing}" ]\n`,
    )
    const { exitCode, output } = await runCommand([process.execPath, 'test/e2e/rollout/compose.ts'], {
      env: {
        ...process.env,
        COMPOSE: `sh ${compose}`,
        BALANCER_STATS_URL: balancer.url.href.replace(/\/$/, ''),
      },
    })
    const words = Bun.file(join(directory, 'words'))
    const commands = (await words.exists()) ? (await words.text()).trim().split('\n') : []
    return { exitCode, output, replaced: commands.map((command) => command.split(' ').at(-1)), commands }
  } finally {
    await balancer.stop(true)
    await rm(directory, { recursive: true })
  }
}

const up = { 'api-1': 'UP', 'api-2': 'UP', 'api-3': 'UP' }

test('make roll replaces the worker, waits for it, and then each instance', async () => {
  const { exitCode, replaced, commands } = await roll(up)
  expect(exitCode).toBe(0)
  expect(replaced).toEqual(['worker', 'api-1', 'api-2', 'api-3'])
  expect(commands[0]).toContain('--force-recreate --wait worker')
})

test('make roll stops when a worker or an instance does not recover', async () => {
  const worker = await roll(up, 'worker')
  expect([worker.exitCode, worker.replaced]).toEqual([1, ['worker']])
  const instance = await roll(up, 'api-2')
  expect([instance.exitCode, instance.replaced]).toEqual([1, ['worker', 'api-1', 'api-2']])
})

test('make roll leaves the only instance that is up', async () => {
  const { exitCode, replaced, output } = await roll({ 'api-1': 'UP', 'api-2': 'DOWN', 'api-3': 'DOWN' })
  expect([exitCode, replaced]).toEqual([1, ['worker']])
  expect(output).toContain('api-1 is the only one that is up')
})
