import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../support/command.ts'
import { root } from '../../support/root.ts'

setDefaultTimeout(120_000)

const stack = join(root, 'deploy/terraform')
const built = join(root, '.tools/bin/tofu')
const program =
  process.env.TERRAFORM ?? Bun.which('terraform') ?? Bun.which('tofu') ?? (existsSync(built) ? built : null)
if (program === null) {
  // Where neither is installed, make terraform-check builds one.
  if (process.env.TERRAFORM_REQUIRED === '1') throw new Error('terraform or tofu is missing')
  console.warn('Neither terraform nor tofu is here: the tests of the variables are skipped')
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-terraform-'))
  // Variables alone need no provider, so a plan evaluates their conditions.
  await copyFile(join(stack, 'variables.tf'), join(folder, 'variables.tf'))
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

/** Plans with the variables of a text. */
async function plan(variables: string): Promise<{ exitCode: number; errors: string[] }> {
  await Bun.write(join(folder, 'try.tfvars'), variables)
  const { exitCode, output } = await runCommand(
    [program ?? '', `-chdir=${folder}`, 'plan', '-input=false', '-no-color', '-var-file=try.tfvars'],
    { env: { ...process.env, TF_CLI_CONFIG_FILE: '/dev/null', CHECKPOINT_DISABLE: '1' } },
  )
  // Error messages are wrapped and have a border.
  const text = output.replaceAll(/[│╷╵]/g, ' ').replaceAll(/\s+/g, ' ')
  return {
    exitCode,
    errors: [...text.matchAll(/(?<= )([a-z_.]+) must (?:be|name) /g)].map(([, name = '']) => name),
  }
}

const valid = `
cluster_admin_arns = ["arn:aws:iam::111122223333:role/admin"]
monthly_budget_usd = 100
budget_emails      = ["team@example.com"]
`

describe.skipIf(program === null)('deploy/terraform', () => {
  test('is formatted', async () => {
    const { exitCode, output } = await runCommand(
      [program ?? '', 'fmt', '-check', '-recursive', '-diff', stack],
      {
        env: { ...process.env, TF_CLI_CONFIG_FILE: '/dev/null' },
      },
    )
    expect([exitCode, output]).toEqual([0, ''])
  })

  test.each(['dev', 'small', 'large'])('accepts %s.tfvars.example, which is formatted', async (size) => {
    const text = await Bun.file(join(stack, `${size}.tfvars.example`)).text()
    expect(await plan(text)).toEqual({ exitCode: 0, errors: [] })
    const { exitCode } = await runCommand([program ?? '', 'fmt', '-check', join(folder, 'try.tfvars')])
    expect(exitCode).toBe(0)
  })

  test('accepts the required variables alone', async () => {
    expect(await plan(valid)).toEqual({ exitCode: 0, errors: [] })
  })

  test.each([
    ['name', '"Tally_1"'],
    ['region', '"mars"'],
    ['vpc_cidr', '"10.0.0.0/8"'],
    ['availability_zones', '["us-east-1a"]'],
    ['availability_zones', '["eu-west-1a", "eu-west-1b"]'],
    ['nat_gateways', '"none"'],
    ['kubernetes_version', '"1.29"'],
    ['cluster_public_access_cidrs', '["0.0.0.0/0"]'],
    ['node_instance_type', '"big"'],
    ['node_count', '1'],
    ['node_count_max', '4'],
    ['node_disk_gib', '5'],
    ['images_kept', '1'],
    ['database_instance_class', '"db.t4g.micro"'],
    ['database_storage_gib', '10'],
    ['database_storage_max_gib', '50'],
    ['database_backup_days', '0'],
    ['database_max_connections', '90'],
    ['task_store', '"redis"'],
    ['task_store_node_type', '"cache.t4g.small"'],
    ['task_store_replicas', '0'],
    ['task_store_snapshot_days', '0'],
    ['secrets_version', '0'],
    ['domain_name', '"nodots"'],
    [
      'shutdown.grace_period',
      '{ pre_stop = 5, drain_max = 20, shutdown_timeout = 40, close_timeout = 5, grace_period = 70 }',
    ],
    ['log_retention_days', '2'],
  ])('refuses a bad %s: %s', async (name, value) => {
    const { exitCode, errors } = await plan(`${valid}\n${name.split('.')[0]} = ${value}\n`)
    expect(exitCode).toBe(1)
    expect(errors).toContain(name)
  })

  test.each([
    ['cluster_admin_arns = []', 'cluster_admin_arns'],
    ['monthly_budget_usd = 0', 'monthly_budget_usd'],
    ['budget_emails = ["nobody"]', 'budget_emails'],
  ])('refuses %s', async (line, name) => {
    const [variable = ''] = line.split(' ')
    const others = valid.split('\n').filter((other) => !other.startsWith(variable))
    const { exitCode, errors } = await plan([...others, line].join('\n'))
    expect(exitCode).toBe(1)
    expect(errors).toEqual([name])
  })

  test('refuses a host name outside the hosted zone, and one without a zone', async () => {
    const inAnother = await plan(
      `${valid}\ndomain_name = "tally.example.com"\nhosted_zone_name = "example.org"\n`,
    )
    expect(inAnother).toEqual({ exitCode: 1, errors: ['domain_name'] })
    const alone = await plan(`${valid}\ndomain_name = "tally.example.com"\n`)
    expect(alone.exitCode).toBe(1)
  })

  test('refuses ElastiCache nodes for MemoryDB, and takes MemoryDB without a replica', async () => {
    const store = (node: string): string =>
      `${valid}\ntask_store = "memorydb"\ntask_store_node_type = "${node}"\ntask_store_replicas = 0\n`
    expect(await plan(store('cache.m7g.large'))).toEqual({ exitCode: 1, errors: ['task_store_node_type'] })
    expect(await plan(store('db.t4g.small'))).toEqual({ exitCode: 0, errors: [] })
  })
})
