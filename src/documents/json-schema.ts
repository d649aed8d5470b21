/** What a document has wrong by its schema. */
export interface SchemaError {
  /** JSON pointer into the document. */
  readonly pointer: string
  readonly detail: string
  /** The schema's keyword that refused it, such as `required`. */
  readonly code: string
}

/** The errors of a document, none when it satisfies the schema. */
export type DocumentSchema = (document: unknown) => readonly SchemaError[]

/**
 * Compiles a JSON Schema (2020-12) that every document must satisfy. The validator is loaded only here, for
 * most services need none.
 *
 * @throws Error when the schema is none, or uses a keyword or format that is not known: a schema that is
 *   silently not checked is worse than none.
 */
export async function compileDocumentSchema(schema: unknown): Promise<DocumentSchema> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  if (typeof schema !== 'object' || schema === null) throw new Error('a JSON Schema must be an object')
  const validate = new Ajv2020({ allErrors: false, strict: true, strictTypes: false }).compile(schema)
  return (document) =>
    validate(document)
      ? []
      : (validate.errors ?? []).map(({ instancePath, keyword, message = 'is refused', params }) => ({
          pointer: named(instancePath, keyword, params),
          detail: message,
          code: keyword,
        }))
}

/** The pointer to what is wrong; for a member that is missing or too many, to that member. */
function named(path: string, keyword: string, params: Record<string, unknown>): string {
  const member = keyword === 'required' ? params.missingProperty : params.additionalProperty
  if (typeof member !== 'string') return path
  return `${path}/${member.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`
}
