import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { buildAll, canBuild } from './manifests.ts'

const dataSchema = z.object({ data: z.record(z.string(), z.string()) })
const policySchema = z.object({ 'pod-security.kubernetes.io/enforce': z.string() }).loose()

const all = await buildAll()

describe.each(all.map((built) => [built.overlay, built] as const))('%s', (_, built) => {
  test('the namespace refuses a pod that is not restricted', () => {
    const [namespace, ...others] = built.kind('Namespace')
    expect(others).toEqual([])
    expect(policySchema.parse(namespace?.metadata.labels)).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
      'pod-security.kubernetes.io/audit': 'restricted',
    })
    for (const { metadata, kind } of built.manifests)
      if (kind !== 'Namespace') expect([kind, metadata.namespace]).toEqual([kind, namespace?.metadata.name])
  })

  describe.each(built.workloads.map((workload) => [workload.metadata.name, workload] as const))(
    '%s',
    (name, { spec }) => {
      const pod = spec.template.spec

      test('runs as a user of no rights, on a file system that it cannot write', () => {
        expect(pod.securityContext).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        })
        for (const { securityContext } of pod.containers) {
          expect(securityContext).toMatchObject({
            runAsNonRoot: true,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
          // A uid without an account on the host.
          expect(z.number().parse(securityContext.runAsUser)).toBeGreaterThan(10_000)
        }
        for (const alien of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers'])
          expect(pod).not.toHaveProperty(alien)
        for (const volume of pod.volumes) expect(volume).not.toHaveProperty('hostPath')
      })

      test('has a separate account, and a token only to discover pods', () => {
        expect(pod.serviceAccountName).toBe(name)
        expect(pod.automountServiceAccountToken).toBe(name === 'prometheus')
      })

      test('cannot exhaust the memory of its node, and requests what it needs', () => {
        for (const { resources } of pod.containers) {
          expect(Object.keys(resources.requests).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory'])
          expect(Object.keys(resources.limits).sort()).toEqual(['ephemeral-storage', 'memory'])
        }
      })

      test('gets secrets from Secrets only', () => {
        for (const container of pod.containers) {
          for (const { name: variable, value } of container.env)
            if (value !== undefined) expect(variable).not.toMatch(/PASSWORD|SECRET|TOKEN|_KEYS?$|_URL$/)
        }
      })
    },
  )

  test('no ConfigMap holds a secret', () => {
    const secrets = built.kind('Secret').flatMap((secret) =>
      Object.entries(dataSchema.parse(secret).data).flatMap(([key, encoded]) =>
        // A user's name is in many a text.
        key === 'username' ? [] : [Buffer.from(encoded, 'base64').toString()],
      ),
    )
    for (const map of built.kind('ConfigMap'))
      for (const [key, text] of Object.entries(dataSchema.parse(map).data)) {
        // The path of a mounted file, and the address of public keys, are not secrets.
        if (!key.endsWith('_FILE') && key !== 'JWT_JWKS_URL')
          expect(key).not.toMatch(/PASSWORD|SECRET|TOKEN|_KEYS?$|_URL$/)
        expect(text).not.toMatch(/:\/\/[^/\s]*:[^/\s]*@/)
        for (const secret of secrets)
          expect(text).not.toMatch(new RegExp(`[:=\\s]"?${RegExp.escape(secret)}"?$`, 'm'))
      }
  })
})

describe.if(canBuild)('production', () => {
  test('has no Secret in a file, and takes its stores from two that are made elsewhere', () => {
    const production = all.find(({ overlay }) => overlay === 'production')
    expect(production?.kind('Secret')).toEqual([])
    const [api] = production?.workload('api').spec.template.spec.containers ?? []
    expect(api && production?.environment(api)).toMatchObject({
      DATABASE_URL: 'tally-database/url',
      REDIS_URL: 'tally-redis/url',
      ENVIRONMENT: 'production',
    })
  })
})
