/** One violation of the schema by a document. */
export interface SchemaError {
  /** JSON pointer into the document. */
  readonly pointer: string
  readonly detail: string
  /** The violated keyword of the schema, such as `required`. */
  readonly code: string
}

/** Validates a document; returns no errors when it satisfies the schema. */
export type DocumentSchema = (document: unknown) => readonly SchemaError[]

/**
 * Compiles a JSON Schema (2020-12) that every document must satisfy. The validator is loaded only here, because most
 * services have no schema.
 *
 * @throws Error when the schema is invalid, or uses an unknown keyword or format: a schema that is silently not checked
 *   is worse than no schema
 */
export async function compileDocumentSchema(schema: unknown): Promise<DocumentSchema> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  if (typeof schema !== 'object' || schema === null) throw new Error('a JSON Schema must be an object')
  const validate = new Ajv2020({ allErrors: false, strict: true, strictTypes: false }).compile(schema)
  return (document) =>
    validate(document)
      ? []
      : (validate.errors ?? []).map(({ instancePath, keyword, message = 'is invalid', params }) => ({
          pointer: formatPointer(instancePath, keyword, params),
          detail: message,
          code: keyword,
        }))
}

/** The pointer to the violation; for a missing or an unknown member, the pointer to that member. */
function formatPointer(path: string, keyword: string, params: Record<string, unknown>): string {
  const member = keyword === 'required' ? params.missingProperty : params.additionalProperty
  if (typeof member !== 'string') return path
  return `${path}/${member.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`
}
