import { z } from 'zod'
import { until } from '../../../support/until.ts'
import { applyObjects, type Namespace } from './kubectl.ts'

/** The claims of the overlay's StatefulSets. */
const claims = ['data-postgres-0', 'data-redis-0'] as const

const classesSchema = z.object({
  items: z.array(
    z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }) }),
  ),
})

/**
 * Creates a volume for each claim in a directory of a node, if the cluster has no default storage class. The volumes
 * outlive their pods, as the test requires; only the node with the directory can run them.
 *
 * @param image an image with Bun, for the pod that makes the directories writable
 * @returns removes the volumes and their data
 */
export async function prepareVolumes(namespace: Namespace, image: string): Promise<() => Promise<void>> {
  const classes = classesSchema.parse(
    JSON.parse(await namespace.kubectl('get', 'storageclass', '-o', 'json')),
  )
  const isDefault = 'storageclass.kubernetes.io/is-default-class'
  if (classes.items.some(({ metadata }) => metadata.annotations[isDefault] === 'true')) return async () => {}

  const node = await namespace.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}')
  const root = `/var/lib/${namespace.name}`
  const volumeOf = (claim: string): string => `${namespace.name}-${claim}`
  // The overlay's namespace forbids what this pod needs: root and a directory of the node.
  const maker = `${namespace.name}-volumes`
  const onNode = async (script: string): Promise<void> => {
    await applyObjects([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: maker } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: maker, namespace: maker },
        spec: {
          nodeName: node,
          restartPolicy: 'Never',
          containers: [
            {
              name: 'bun',
              image,
              command: ['bun', '-e', script],
              securityContext: { runAsUser: 0 },
              volumeMounts: [{ name: 'root', mountPath: '/volumes' }],
            },
          ],
          volumes: [{ name: 'root', hostPath: { path: root, type: 'DirectoryOrCreate' } }],
        },
      },
    ])
    const phase = async (): Promise<string> =>
      await namespace.kubectl('get', 'pod', maker, `--namespace=${maker}`, '-o', 'jsonpath={.status.phase}')
    await until(
      async () => {
        const now = await phase()
        if (now === 'Failed') throw new Error(await namespace.kubectl('logs', maker, `--namespace=${maker}`))
        return now === 'Succeeded'
      },
      { what: 'the directories of the volumes', timeoutMs: 60_000, intervalMs: 50 },
    )
    await namespace.kubectl('delete', 'namespace', maker)
  }

  const removeVolumes = (): Promise<string> =>
    namespace.kubectl('delete', 'persistentvolume', '--ignore-not-found', ...claims.map(volumeOf))
  // A volume of another run remembers that run's claim and accepts no other.
  await removeVolumes()
  const names = JSON.stringify(claims)
  await onNode(
    `const fs = require('node:fs'); for (const name of ${names}) { const path = '/volumes/' + name; ` +
      `fs.rmSync(path, { recursive: true, force: true }); fs.mkdirSync(path); fs.chmodSync(path, 0o777) }`,
  )
  await applyObjects(
    claims.map((claim) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: volumeOf(claim) },
      spec: {
        capacity: { storage: '2Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { namespace: namespace.name, name: claim },
        hostPath: { path: `${root}/${claim}` },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
            ],
          },
        },
      },
    })),
  )
  return async () => {
    await onNode(
      `for (const name of ${names}) require('node:fs').rmSync('/volumes/' + name, { recursive: true, force: true })`,
    )
    await removeVolumes()
  }
}
