import { describe, expect, test } from 'bun:test'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mergeFiles, parseHcl, readModule } from '../../../tools/terraform/hcl.ts'
import { findProblems } from '../../../tools/terraform/problems.ts'
import { readInterfaces, stackFolders } from '../../../tools/terraform-check.ts'
import { root } from '../../support/root.ts'

const interfaces = await readInterfaces()
const stack = join(root, 'deploy/terraform')
const files = new Map(
  await Promise.all(
    (await readdir(stack))
      .filter((name) => name.endsWith('.tf'))
      .map(async (name) => [name, await Bun.file(join(stack, name)).text()] as const),
  ),
)

const parsed = new Map(
  await Promise.all([...files].map(async ([name, text]) => [name, await parseHcl(name, text)] as const)),
)

/** An expression as the parser has it. */
const expression = (code: string): string => `\${${code}}`

/** The problems of the stack with one text of one file replaced. */
async function problemsWith(name: string, text: string, replacement: string): Promise<string[]> {
  const before = files.get(name) ?? ''
  expect(before).toContain(text)
  const changed = await parseHcl(name, before.replace(text, replacement))
  return findProblems(mergeFiles([...new Map(parsed).set(name, changed).values()]), interfaces)
}

test.each(stackFolders)(
  '%s fits the schema of the provider and the variables of the modules',
  async (folder) => {
    expect(findProblems(await readModule(join(root, folder)), interfaces)).toEqual([])
  },
)

describe('the check finds', () => {
  test.each([
    [
      'an unknown argument',
      'database.tf',
      'multi_az ',
      'multiple_az ',
      'resource aws_db_instance.main: unknown argument multiple_az',
    ],
    [
      'a missing argument',
      'database.tf',
      'instance_class = var.database_instance_class\n',
      '',
      'resource aws_db_instance.main: instance_class is missing',
    ],
    [
      'an unknown argument of a block',
      'budget.tf',
      'threshold_type ',
      'threshold_kind ',
      'resource aws_budgets_budget.monthly.notification: unknown argument threshold_kind',
    ],
    [
      'a missing argument of a block',
      'database.tf',
      'name  = "rds.force_ssl"\n',
      '',
      'resource aws_db_parameter_group.main.parameter: name is missing',
    ],
    [
      'an argument where a block belongs',
      'registry.tf',
      'image_scanning_configuration {',
      'image_scanning_configuration = {',
      'resource aws_ecr_repository.tally: image_scanning_configuration is a block',
    ],
    [
      'an unknown argument of a data source',
      'clients.tf',
      'private_zone ',
      'is_private ',
      'data aws_route53_zone.main: unknown argument is_private',
    ],
    [
      'an unknown type',
      'budget.tf',
      '"aws_budgets_budget"',
      '"aws_budget"',
      'resource aws_budget: no schema; run make terraform-schema',
    ],
    [
      'an unknown input of a module',
      'cluster.tf',
      'enabled_log_types ',
      'log_types ',
      'module eks: unknown argument log_types',
    ],
    [
      'a setting that a module would ignore',
      'cluster.tf',
      'http_put_response_hop_limit',
      'hop_limit',
      'module eks.eks_managed_node_groups.main.metadata_options: unknown attribute hop_limit',
    ],
    [
      'a module of another major version',
      'network.tf',
      '"~> 6.6"',
      '"~> 7.0"',
      'module vpc: checked against 6.6.0, which is not ~> 7.0',
    ],
    [
      'a variable that is not declared',
      'budget.tf',
      'var.budget_emails',
      'var.emails',
      'var.emails does not exist',
    ],
    [
      'a variable that is not used',
      'variables.tf',
      'variable "tags"',
      'variable "labels"',
      'var.labels is not used',
    ],
    [
      'a local value that is not declared',
      'database.tf',
      'local.database_name',
      'local.database',
      'local.database does not exist',
    ],
    [
      'a resource that does not exist',
      'registry.tf',
      'aws_kms_key.data.arn',
      'aws_kms_key.images.arn',
      'aws_kms_key.images does not exist',
    ],
    [
      'an attribute that does not exist',
      'outputs.tf',
      'aws_db_instance.main.address',
      'aws_db_instance.main.host',
      'aws_db_instance.main.host does not exist',
    ],
    [
      'an output of a module that does not exist',
      'outputs.tf',
      'module.vpc.vpc_id',
      'module.vpc.id',
      'module.vpc.id does not exist',
    ],
    [
      'a result of an ephemeral resource that does not exist',
      'secrets.tf',
      'database.random_password',
      'database.password',
      'ephemeral.aws_secretsmanager_random_password.database.password does not exist',
    ],
  ])('%s', async (_, name, text, replacement, problem) => {
    expect(await problemsWith(name, text, replacement)).toContain(problem)
  })
})

describe('what the stack promises', () => {
  const { resource, output, module } = mergeFiles([...parsed.values()])
  const only = (type: string, name: string): Record<string, unknown> => resource[type]?.[name]?.[0] ?? {}

  test('accepted tasks survive every node: a write is in the log before it is answered, and none is evicted', () => {
    const group = only('aws_elasticache_replication_group', 'tasks')
    expect(group).toMatchObject({
      engine: 'valkey',
      engine_version: '9.0',
      durability: 'sync',
      // What durability requires.
      cluster_mode: 'enabled',
      num_node_groups: 1,
      multi_az_enabled: true,
      transit_encryption_enabled: true,
    })
    for (const type of ['aws_elasticache_parameter_group', 'aws_memorydb_parameter_group'])
      expect(only(type, 'tasks').parameter).toContainEqual({ name: 'maxmemory-policy', value: 'noeviction' })
  })

  test('no password of ours is an argument that the state keeps, but for the one that README.md names', () => {
    const secrets = Object.entries(resource).flatMap(([type, named]) =>
      Object.values(named).flatMap((bodies) =>
        bodies.flatMap((body) =>
          ['password', 'auth_token', 'secret_string', 'secret_binary', 'passwords']
            .filter((argument) => argument in body || JSON.stringify(body).includes(`"${argument}":`))
            .map((argument) => `${type}.${argument}`),
        ),
      ),
    )
    expect(secrets).toEqual(['aws_memorydb_user.passwords'])
    expect(Object.values(output).filter(([body]) => JSON.stringify(body).includes('secret_string'))).toEqual(
      [],
    )
  })

  test('stores and images are encrypted, and the stores admit the nodes only', () => {
    for (const [type, name, argument] of [
      ['aws_db_instance', 'main', 'kms_key_id'],
      ['aws_elasticache_replication_group', 'tasks', 'kms_key_id'],
      ['aws_memorydb_cluster', 'tasks', 'kms_key_arn'],
    ] as const)
      expect(only(type, name)[argument]).toBe(expression('aws_kms_key.data.arn'))
    const rules = Object.values(resource.aws_vpc_security_group_ingress_rule ?? {}).flat()
    expect(rules.map((rule) => rule.referenced_security_group_id)).toEqual(
      rules.map(() => expression('module.eks.node_security_group_id')),
    )
    expect(rules).toHaveLength(2)
  })

  test('the database keeps a confirmed document: synchronous commits, backups, no deletion by mistake', () => {
    const parameters = only('aws_db_parameter_group', 'main').parameter
    expect(parameters).toContainEqual({ name: 'synchronous_commit', value: 'on' })
    expect(parameters).toContainEqual({ name: 'rds.force_ssl', value: '1' })
    expect(only('aws_db_instance', 'main')).toMatchObject({
      manage_master_user_password: true,
      deletion_protection: expression('var.deletion_protection'),
      backup_retention_period: expression('var.database_backup_days'),
      publicly_accessible: false,
    })
  })

  test('every module has a version with a fixed major, and every variable and output a description', async () => {
    const { variable } = await readModule(stack)
    for (const [body] of Object.values(module)) expect(String(body?.version)).toMatch(/^~> \d+\.\d+$/)
    for (const [name, [body]] of [...Object.entries(variable), ...Object.entries(output)])
      expect([name, String(body?.description ?? '').length > 8]).toEqual([name, true])
  })
})

describe.each(['dev', 'small', 'large'])('%s.tfvars.example', (size) => {
  test('sets variables that exist, and all that are required', async () => {
    const { variable } = await readModule(stack)
    const text = await Bun.file(join(stack, `${size}.tfvars.example`)).text()
    const names = Object.keys(await parseHcl(`${size}.tfvars`, text))
    expect(names.filter((name) => !(name in variable))).toEqual([])
    const required = Object.entries(variable).filter(([, [body = {}]]) => !('default' in body))
    expect(names).toEqual(expect.arrayContaining(required.map(([name]) => name)))
  })
})
