import { join } from 'node:path'
import { type CommandResult, runCommand, runSuccessfully } from '../../../support/command.ts'
import { until } from '../../../support/until.ts'
import { type Check, check } from './check.ts'
import { accountChecks, type Mark } from './disruptions.ts'
import { versionsOf } from './endpoints.ts'
import { keepTasks } from './ledger.ts'
import { splitImage } from './overlay.ts'
import { balancedUrl, type Platform, releaseDeployments } from './platform.ts'
import { type ClusterRun, runUnderLoad } from './run.ts'
import type { ClusterSettings, HelmVersion } from './settings.ts'

/** The Helm versions that the chart is for, each with the command that installs it, and its option to undo a failure. */
const helms = {
  3: { program: '.tools/bin/helm', install: ['tools/helm.sh'], undo: '--atomic' },
  4: { program: '.tools/helm4/helm', install: ['tools/helm.sh', '4'], undo: '--rollback-on-failure' },
} as const satisfies Record<HelmVersion, object>

const release = 'tally'
const chart = 'deploy/helm/tally'
/** Another one than that of the overlay's Service, so that a balancer with one address can have both. */
const port = 8080
/** Of an install or an upgrade, longer than two rollouts take. */
const timeout = '240s'
/** How long a broken upgrade has before Helm rolls it back. */
const brokenTimeout = '30s'
const steadyMs = 3_000
const tasksPerSecond = 5

interface Release {
  /** Runs a command of Helm for the namespace that must succeed. */
  helm(...words: string[]): Promise<string>
  /** The same for one that may fail. */
  try(...words: string[]): Promise<CommandResult>
  /** Writes values into a file, and gives its path. */
  values(name: string, values: object): Promise<string>
}

/**
 * Installs the Helm chart in the place of the overlay's API and workers, by each Helm. Tests it, and upgrades, changes, breaks
 * and rolls it back under load.
 */
export async function runReleases(
  platform: Platform,
  settings: ClusterSettings,
  directory: string,
): Promise<{ runs: ClusterRun[]; checks: Check[] }> {
  const runs: ClusterRun[] = []
  const checks: Check[] = []
  await removeOverlayPods(platform)
  for (const version of settings.helmVersions) {
    const { program, install, undo } = helms[version]
    const name = `Helm ${version}`
    await runSuccessfully(install)
    const run = openRelease(platform, program, join(directory, name))
    console.log(`${name}: ${await run.helm('version', '--template', '{{.Version}}')}`)
    const base = await baseValues(platform)
    const first = await run.values('first', { ...base, image: imageValues(settings.image) })
    await run.helm('install', release, chart, '--values', first, '--wait', '--timeout', timeout)
    const url = await balancedUrl(platform.namespace, `${release}-api`, '/ready')
    checks.push(await testRelease(run, `${name}: helm test passes after the install`))
    const load = { name, profile: 'rollout', connection: 'mixed', seconds: settings.seconds } as const
    const steps: Steps = { platform, run, url, base, settings, first, undo }
    runs.push(
      await runUnderLoad(
        { ...platform, url, deployments: releaseDeployments },
        { ...load, rate: settings.rate, users: settings.users },
        directory,
        (mark) => change(steps, mark),
      ),
    )
    checks.push(await testRelease(run, `${name}: helm test passes after the rollback`))
    await run.helm('uninstall', release, '--wait', '--timeout', timeout)
    checks.push(await checkNothingLeft(platform, name))
  }
  // The overlay's own pods again, for the next part.
  await platform.apply({ image: settings.image })
  return { runs, checks }
}

function openRelease({ namespace }: Platform, program: string, directory: string): Release {
  const attempt = (...words: string[]): Promise<CommandResult> =>
    runCommand([program, `--namespace=${namespace.name}`, ...words])
  return {
    try: attempt,
    async helm(...words) {
      const { exitCode, stdout, output } = await attempt(...words)
      if (exitCode !== 0) throw new Error(`helm ${words.join(' ')} ended with ${exitCode}: ${output.trim()}`)
      return stdout.trim()
    },
    async values(name, values) {
      const file = join(directory, `${name}-values.json`)
      // JSON is YAML.
      await Bun.write(file, `${JSON.stringify(values, null, 2)}\n`)
      return file
    },
  }
}

/**
 * Removes the API and the workers of the overlay, and what selects their pods: the pods of the release have the same labels.
 * The stores, Prometheus and the policy that denies everything else stay.
 */
async function removeOverlayPods({ namespace, deployments, pods }: Platform): Promise<void> {
  await namespace.kubectl(
    ...['delete', 'deployment,poddisruptionbudget,networkpolicy', '--wait=true', '--timeout=180s'],
    '--selector=app.kubernetes.io/component in (api, worker)',
  )
  await until(() => deployments.every((each) => pods.all(each).every(({ gone }) => gone)), {
    what: 'the pods of the overlay to be gone',
    timeoutMs: 180_000,
    intervalMs: 50,
  })
}

/** The stores of the overlay, whose Secrets have a hash in their names. */
async function baseValues({ namespace }: Platform): Promise<object> {
  const names = (await namespace.kubectl('get', 'secrets', '-o', 'name')).split('\n')
  const secret = (prefix: string): string => {
    const found = names.find((name) => name.startsWith(`secret/${prefix}-`))
    if (found === undefined) throw new Error(`no Secret ${prefix} in ${namespace.name}`)
    return found.slice('secret/'.length)
  }
  const store = (component: string) => ({
    peers: [{ podSelector: { matchLabels: { 'app.kubernetes.io/component': component } } }],
    port: component,
  })
  return {
    config: { ENVIRONMENT: 'loadtest' },
    database: { existingSecret: secret('tally-database') },
    redis: { existingSecret: secret('tally-redis') },
    migration: { enabled: true },
    service: { type: 'LoadBalancer', port },
    networkPolicy: { database: store('postgres'), redis: store('redis') },
  }
}

function imageValues(image: string): { repository: string; tag?: string; digest?: string } {
  const { newName, newTag, digest } = splitImage(image)
  return {
    repository: newName,
    ...(newTag !== undefined && { tag: newTag }),
    ...(digest !== undefined && { digest }),
  }
}

async function testRelease(run: Release, name: string): Promise<Check> {
  const { exitCode, output } = await run.try('test', release, '--timeout', timeout)
  if (exitCode !== 0) console.log(output)
  return check(name, exitCode === 0, exitCode === 0 ? 'Succeeded' : `helm test ended with ${exitCode}`)
}

interface Steps {
  readonly platform: Platform
  readonly run: Release
  readonly url: string
  /** The values without an image, and the file of those that were installed. */
  readonly base: object
  readonly first: string
  readonly settings: ClusterSettings
  /** Lets Helm take back an upgrade that fails. */
  readonly undo: string
}

/** What is done to the release under load, while clients also send tasks. */
async function change(steps: Steps, mark: Mark): Promise<Check[]> {
  const { platform, run, url, base, settings } = steps
  const { pods } = platform
  const upgrade = (file: string) =>
    run.helm('upgrade', release, chart, '--values', file, '--wait', '--timeout', timeout)
  const settled = () => platform.settled(releaseDeployments)
  const image = imageValues(settings.nextImage)
  const checks: Check[] = []
  const tasks = keepTasks(url, tasksPerSecond, 'medium')
  await Bun.sleep(steadyMs)

  await mark('helm upgrade: to the next image')
  const before = await versionsOf(url)
  await upgrade(await run.values('next', { ...base, image }))
  await settled()
  const after = await versionsOf(url)
  checks.push(
    check(
      'after helm upgrade every instance is of another version',
      after.size === 1 && before.isDisjointFrom(after),
      `${[...before].join(', ')}, then ${[...after].join(', ')}`,
    ),
  )

  await mark('helm upgrade: a changed setting')
  const old = new Set(releaseDeployments.flatMap((each) => pods.live(each)).map(({ uid }) => uid))
  const config = { ENVIRONMENT: 'loadtest', QUEUE_MAX: 50_000 }
  await upgrade(await run.values('changed', { ...base, image, config }))
  await settled()
  const kept = releaseDeployments.flatMap((each) => pods.live(each)).filter(({ uid }) => old.has(uid)).length
  checks.push(check('a changed setting rolls every pod of the release', kept === 0, `${kept} pods stayed`))

  await mark('helm upgrade: a broken image, taken back by Helm')
  checks.push(await breakRelease(steps))
  await settled()

  await mark('helm rollback: to the first revision')
  await run.helm('rollback', release, '1', '--wait', '--timeout', timeout)
  await settled()
  const restored = await versionsOf(url)
  checks.push(
    check(
      'after helm rollback every instance is of the first version',
      restored.symmetricDifference(before).size === 0,
      [...restored].join(', '),
    ),
  )
  await mark('afterwards')
  return [...checks, ...accountChecks(await tasks.close())]
}

/** Upgrades to an image that does not exist: Helm must fail, take it back, and leave every pod alone. */
async function breakRelease({ platform, run, base, undo }: Steps): Promise<Check> {
  const { pods } = platform
  const old = releaseDeployments.flatMap((each) => pods.live(each)).map(({ uid }) => uid)
  const broken = await run.values('broken', {
    ...base,
    image: { repository: 'tally.invalid/broken', tag: 'none' },
    // With it, the Job before the upgrade would fail, and no Deployment would change.
    migration: { enabled: false },
  })
  const { exitCode } = await run.try(
    ...['upgrade', release, chart, '--values', broken, undo, '--timeout', brokenTimeout],
  )
  const ready = new Set(
    releaseDeployments.flatMap((each) => pods.live(each)).flatMap((pod) => (pod.ready ? [pod.uid] : [])),
  )
  const kept = old.filter((uid) => ready.has(uid)).length
  return check(
    'a broken upgrade removes no pod, and Helm takes it back',
    exitCode !== 0 && old.length > 0 && kept === old.length,
    `helm ended with ${exitCode}, ${kept} of ${old.length} pods served and worked meanwhile`,
  )
}

async function checkNothingLeft({ namespace }: Platform, name: string): Promise<Check> {
  const kinds = [
    ...['deployments', 'pods', 'services', 'configmaps', 'serviceaccounts', 'jobs'],
    ...['networkpolicies', 'poddisruptionbudgets'],
  ].join(',')
  const list = async (): Promise<string[]> => {
    const names = await namespace.kubectl(
      ...['get', kinds, '-o', 'name', `--selector=app.kubernetes.io/instance=${release}`],
    )
    return names.split('\n').filter((each) => each !== '')
  }
  const gone = await until(async () => (await list()).length === 0, {
    what: 'the objects of the release to be gone',
    timeoutMs: 120_000,
    intervalMs: 500,
  }).catch(() => false)
  return check(`${name}: helm uninstall leaves nothing`, gone, gone ? 'nothing' : (await list()).join(', '))
}
