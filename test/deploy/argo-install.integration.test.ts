import { describe, expect, test } from 'bun:test'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'

/** Runs the script with stand-ins for the programs that reach the network and the cluster. */
async function install(
  what: string,
  programs: Record<'curl' | 'go' | 'kubectl', string> & { sha256sum?: string },
  settings: Record<string, string> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'argo-install-'))
  try {
    for (const [name, script] of Object.entries(programs)) {
      await Bun.write(join(folder, name), `#!/bin/sh\n${script}\n`)
      await chmod(join(folder, name), 0o755)
    }
    const path = `${folder}:${process.env.PATH}`
    const env = { ...process.env, PATH: path, IMAGE: '', DRY_RUN: '', GATEWAY_PLUGIN: '', ...settings }
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
      output: 'usage: deploy/argo/install.sh argocd|rollouts|gateway\n',
    })
  })

  test.each(['argocd', 'rollouts', 'gateway'])(
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

  test.each(['argocd', 'rollouts', 'gateway'])('%s: applies nothing with another checksum', async (what) => {
    const { exitCode, output } = await install(what, {
      curl: download('kind: Secret'),
      go: 'exit 1',
      kubectl: 'echo applied',
    })
    expect(exitCode).toBe(1)
    expect(output).toContain('has another checksum')
    expect(output).not.toContain('applied')
  })

  /** A release that has the right checksum, and a cluster that prints each command, with its input. */
  const accepted = {
    curl: download('kind: Secret'),
    go: 'exit 1',
    sha256sum: '',
    kubectl: 'echo "kubectl $*"; case "$*" in *"--filename -") cat ;; esac',
  }

  test('gateway: applies the definitions, waits for them, and then applies the Gateway', async () => {
    const { exitCode, output } = await install('gateway', accepted)
    expect(exitCode).toBe(0)
    const steps = ['--server-side', 'wait --for=condition=Established', '--kustomize deploy/argo/traefik']
    const places = steps.map((step) => output.indexOf(step))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places).not.toContain(-1)
  })

  test.each([
    ['v0.15.0', /location: https:\/\/github\.com\/.*\/v0\.15\.0\/gatewayapi-plugin-linux-amd64$/m],
    ['file:///plugins/gatewayapi-plugin', /location: file:\/\/\/plugins\/gatewayapi-plugin$/m],
    ['https://example.com/plugin', /location: https:\/\/example\.com\/plugin$/m],
  ])('rollouts: the plugin by its version or its location: %s', async (plugin, location) => {
    const { exitCode, output } = await install('rollouts', accepted, { GATEWAY_PLUGIN: plugin })
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: expect.stringMatching(location) })
  })
})
