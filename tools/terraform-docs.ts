import { writeOrCheck } from './generated-files.ts'
import { escapeCell, replaceBetween, tableOf } from './markdown.ts'
import { expressionOf, type HclModule, type HclValue, readModule } from './terraform/hcl.ts'

// Writes the tables of variables and outputs into deploy/terraform/README.md, from the files that define them; --check
// only compares.

const begin = '<!-- variables: made by `bun run docs` -->'
const end = '<!-- /variables -->'

const path = new URL('../deploy/terraform/README.md', import.meta.url)
const page = await Bun.file(path).text()
const module = await readModule(new URL('../deploy/terraform', import.meta.url).pathname)
const made = replaceBetween(page, begin, end, `\n${variables(module)}\n\n${outputs(module)}\n`)
await writeOrCheck([[path, made]], 'deploy/terraform/README.md: the tables differ from the files')

function variables({ variable }: HclModule): string {
  const rows = Object.entries(variable).map(([name, [body = {}]]) => {
    const type = expressionOf(body.type ?? '').replace(/^object\(.*/s, 'object')
    const standard = 'default' in body ? `\`${literal(body.default ?? null)}\`` : '**required**'
    return [`\`${name}\``, type, standard, cell(body.description)]
  })
  return tableOf(['variable', 'type', 'default', 'meaning'], rows.sort())
}

function outputs({ output }: HclModule): string {
  const rows = Object.entries(output).map(([name, [body = {}]]) => [`\`${name}\``, cell(body.description)])
  return tableOf(['output', 'meaning'], rows.sort())
}

/** As it stands in a .tfvars file. */
function literal(value: HclValue): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value)
  const members = Object.entries(value).map(([name, member]) => `${name} = ${literal(member)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}

function cell(description: HclValue | undefined): string {
  return escapeCell(String(description ?? ''))
}
