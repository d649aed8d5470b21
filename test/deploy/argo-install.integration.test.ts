import { describe, expect, test } from 'bun:test'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'

/** Runs the script with stand-ins for the programs that reach the network and the cluster. */
async function install(what: string, programs: Record<'curl' | 'go' | 'kubectl', string>) {
  const folder = await mkdtemp(join(tmpdir(), 'argo-install-'))
  try {
    for (const [name, script] of Object.entries(programs)) {
      await Bun.write(join(folder, name), `#!/bin/sh\n${script}\n`)
      await chmod(join(folder, name), 0o755)
    }
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, IMAGE: '', DRY_RUN: '' }
    return await runCommand([join(root, 'deploy/argo/install.sh'), what], { env })
  } finally {
    await rm(folder, { recursive: true })
  }
}
const download = (text: string): string =>
  `while [ $# -gt 0 ]; do if [ "$1" = --output ]; then echo '${text}' > "$2"; fi; shift; done`

describe('deploy/argo/install.sh', () => {
  test('names the programs that it can install', async () => {
    const { exitCode, output } = await install('everything', { curl: '', go: '', kubectl: 'echo applied' })
    expect({ exitCode, output }).toEqual({
      exitCode: 1,
      output: 'usage: deploy/argo/install.sh argocd|rollouts\n',
    })
  })

  test.each(['argocd', 'rollouts'])(
    '%s: without a network it says what to do, and applies nothing',
    async (what) => {
      const { exitCode, output } = await install(what, {
        curl: 'exit 6',
        go: 'exit 1',
        kubectl: 'echo applied',
      })
      expect(exitCode).toBe(1)
      expect(output).toContain('can be downloaded. With a network, run this again')
      expect(output).not.toContain('applied')
    },
  )

  test.each(['argocd', 'rollouts'])('%s: applies nothing with another checksum', async (what) => {
    const { exitCode, output } = await install(what, {
      curl: download('kind: Secret'),
      go: 'exit 1',
      kubectl: 'echo applied',
    })
    expect(exitCode).toBe(1)
    expect(output).toContain('has another checksum')
    expect(output).not.toContain('applied')
  })
})
