/** A span as received, with plain names instead of those of OTLP's JSON mapping. */
export interface ReceivedSpan {
  readonly service: string
  readonly instance: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** OTLP's numbers: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number
  readonly failed: boolean
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

interface Attribute {
  key: string
  value: { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean }
}

interface OtlpSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId?: string
  kind: number
  status?: { code?: number }
  attributes: Attribute[]
}

interface OtlpTraces {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[]
}

/** An OpenTelemetry collector that stores what it receives over OTLP/HTTP. */
export function startCollector() {
  const spans: ReceivedSpan[] = []
  const authorizations = new Set<string | null>()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (new URL(request.url).pathname !== '/v1/traces') return new Response(null, { status: 404 })
      authorizations.add(request.headers.get('authorization'))
      const { resourceSpans } = (await request.json()) as OtlpTraces
      for (const { resource, scopeSpans } of resourceSpans) {
        const about = plain(resource.attributes)
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({
            service: String(about['service.name']),
            instance: String(about['service.instance.id']),
            name: span.name,
            traceId: span.traceId,
            spanId: span.spanId,
            parentSpanId: span.parentSpanId || undefined,
            kind: span.kind,
            failed: span.status?.code === 2,
            attributes: plain(span.attributes),
          })
      }
      return Response.json({})
    },
  })
  return {
    spans,
    /** The values of `Authorization` that it received. */
    authorizations,
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

function plain(attributes: Attribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue),
    ]),
  )
}
