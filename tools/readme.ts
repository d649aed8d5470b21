import { z } from 'zod'
import { environment, secretNames } from '../src/config.ts'

// Writes the README's table of variables, and the sentence about secrets in files, from the schema that reads them;
// --check only compares.

const begin = '<!-- environment: made by `bun run readme` -->'
const end = '<!-- /environment -->'

const path = new URL('../README.md', import.meta.url)
const readme = await Bun.file(path).text()
const before = readme.slice(0, readme.indexOf(begin) + begin.length)
const after = readme.slice(readme.indexOf(end))
const made = `${before}\n${table()}\n\n${files()}\n${after}`

if (!Bun.argv.includes('--check')) await Bun.write(path, made)
else if (made !== readme) {
  console.error("README.md: the table of variables is not the schema's. Run: bun run readme")
  process.exit(1)
}

function table(): string {
  const isSecretFile = (name: string): boolean => secretNames.some((secret) => name === `${secret}_FILE`)
  const variables = Object.entries(environment.shape).filter(([name]) => !isSecretFile(name))
  const rows = variables.map(([name, schema]) => {
    const description = z.globalRegistry.get(schema)?.description ?? ''
    return `| \`${name}\` | ${defaultOf(schema)} | ${description.replaceAll('|', '\\|')} |`
  })
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')
}

/** One sentence instead of a row for each file. */
function files(): string {
  const names = secretNames.map((name) => `\`${name}\``).join(', ')
  return `Secrets in files: each of ${names} may be the contents of a file instead, which the variable with \`_FILE\` names (\`${secretNames[0]}_FILE=/run/secrets/…\`).`
}

/** The text that stands in for a variable that is not set; those that depend on the machine say so themselves. */
function defaultOf(schema: z.ZodType): string {
  if (z.globalRegistry.get(schema)?.description?.includes('(default:')) return ''
  let def: z.core.$ZodTypeDef & { defaultValue?: unknown; innerType?: z.ZodType; in?: z.ZodType } = schema.def
  while (def.type !== 'prefault') {
    const inner = def.innerType ?? def.in
    if (inner === undefined) return ''
    def = inner.def
  }
  return def.defaultValue === '' ? '(empty)' : `\`${String(def.defaultValue)}\``
}
