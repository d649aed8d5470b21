import {
  type Context,
  context,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { createSampler, type SamplerName } from './sampler.ts'
import type { Attributes, Parent, Span, SpanKind, SpanOptions, TraceIds, Tracing } from './tracing.ts'

export interface OpenTelemetryOptions {
  readonly service: string
  readonly version: string
  readonly instance: string
  readonly sampler: SamplerName
  /** The part of the traces that a sampler by ratio records, from 0 to 1. */
  readonly samplerRatio: number
  /** How long a span waits for others to be sent with, in ms. */
  readonly sendEveryMs: number
  /** How long `close` may take, in ms: a collector that is dead would be tried again for 8 s. */
  readonly closeMsMax: number
}

const kinds: Readonly<Record<SpanKind, OtelSpanKind>> = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
}

/**
 * Tracing by OpenTelemetry, sent over OTLP/HTTP. Where to, with which headers and how patiently is said by the
 * standard variables (`OTEL_EXPORTER_OTLP_*`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`), which the packages
 * read. This module and they cost 100 ms and 20 MB to load: import it only where tracing is on.
 */
export function openTelemetry(options: OpenTelemetryOptions): Tracing {
  const propagator = new W3CTraceContextPropagator()
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator)
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter(),
    scheduledDelayMillis: options.sendEveryMs,
  })
  const provider = new TracerProvider({
    // What the environment says of the service wins.
    resource: resourceFromAttributes({
      'service.name': options.service,
      'service.version': options.version,
      'service.instance.id': options.instance,
    }).merge(detectResources({ detectors: [envDetector] })),
    sampler: createSampler(options.sampler, options.samplerRatio),
    spanProcessors: [processor],
  })
  const tracer = provider.getTracer('tally', options.version)

  const start = (
    name: string,
    { kind = 'internal', parent, attributes = {} }: SpanOptions = {},
  ): OpenSpan => {
    const above = parent === undefined ? context.active() : contextOf(parent, propagator)
    return new OpenSpan(
      tracer.startSpan(name, { kind: kinds[kind], attributes: known(attributes) }, above),
      above,
    )
  }
  const under = <T>(span: Span, work: () => T): T => context.with((span as OpenSpan).context, work)

  return {
    start,
    under,
    within(name, spanOptions, work) {
      const span = start(name, spanOptions)
      return under(span, () => ending(span, work))
    },
    ids: () => idsOf(trace.getActiveSpan()),
    traceparent() {
      const carrier = new Map<string, string>()
      propagator.inject(context.active(), carrier, { set: (into, key, value) => into.set(key, value) })
      return carrier.get('traceparent')
    },
    async close() {
      await Promise.race([provider.shutdown().catch(() => {}), Bun.sleep(options.closeMsMax)])
    },
  }
}

class OpenSpan implements Span {
  readonly #span: OtelSpan
  /** The context in which it is active. */
  readonly context: Context

  constructor(span: OtelSpan, above: Context) {
    this.#span = span
    this.context = trace.setSpan(above, span)
  }

  get ids(): TraceIds {
    const { traceId, spanId } = this.#span.spanContext()
    return { trace_id: traceId, span_id: spanId }
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(known(attributes))
  }

  fail(error?: unknown): void {
    if (error instanceof Error) this.#span.recordException(error)
    this.#span.setStatus({
      code: SpanStatusCode.ERROR,
      ...(error !== undefined && { message: error instanceof Error ? error.message : String(error) }),
    })
  }

  end(): void {
    this.#span.end()
  }
}

/** Does the work and ends the span with it, whether it answers, throws, or does so later. */
function ending<T>(span: Span, work: () => T): T {
  const fail = (error: unknown): never => {
    span.fail(error)
    span.end()
    throw error
  }
  try {
    const result = work()
    if (!(result instanceof Promise)) {
      span.end()
      return result
    }
    return result.then((value) => {
      span.end()
      return value
    }, fail) as T
  } catch (error) {
    return fail(error)
  }
}

function contextOf(parent: Parent, propagator: W3CTraceContextPropagator): Context {
  return propagator.extract(ROOT_CONTEXT, parent, {
    get: (carrier, key) => carrier[key as keyof Parent],
    keys: (carrier) => Object.keys(carrier),
  })
}

function idsOf(span: OtelSpan | undefined): TraceIds | undefined {
  if (span === undefined) return undefined
  const { traceId, spanId } = span.spanContext()
  return { trace_id: traceId, span_id: spanId }
}

/** The attributes that have a value. */
function known(attributes: Attributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
    ),
  )
}
