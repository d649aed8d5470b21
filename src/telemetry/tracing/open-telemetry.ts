import {
  type Context,
  context,
  type Span as OtelSpan,
  SpanKind as OtelSpanKind,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  type ExportResult,
  ExportResultCode,
  parseKeyPairsIntoRecord,
  W3CTraceContextPropagator,
} from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { withTimeout } from '../../lifecycle/timeout.ts'
import { createSampler, type SamplerName } from './sampler.ts'
import type { Attributes, RemoteParent, Span, SpanKind, SpanOptions, TraceIds, Tracing } from './tracing.ts'

export interface OpenTelemetryOptions {
  readonly service: string
  readonly version: string
  readonly instance: string
  readonly sampler: SamplerName
  /** Share of the traces that a ratio sampler records, 0 to 1. */
  readonly samplerRatio: number
  /** How long an ended span waits to be sent together with others, in ms. */
  readonly batchDelayMs: number
  /** The headers of each export, as OTEL_EXPORTER_OTLP_HEADERS has them. Default: the variable itself. */
  readonly headers?: () => string
  /** How long `close` may take, in ms. Without it the exporter would retry an unreachable collector for seconds. */
  readonly closeTimeoutMs: number
  /** Called for every export that failed. */
  readonly onExportFailed?: (error: unknown) => void
}

const kinds: Readonly<Record<SpanKind, OtelSpanKind>> = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
}

/**
 * Creates tracing by OpenTelemetry over OTLP/HTTP. The packages read the standard variables for the endpoint, headers
 * and timeouts themselves (`OTEL_EXPORTER_OTLP_*`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`). Import this module
 * only where tracing is on: the packages take long to load and need much memory.
 */
export function createOpenTelemetryTracing(options: OpenTelemetryOptions): Tracing {
  const { headers } = options
  const propagator = new W3CTraceContextPropagator()
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator)
  const exporter = new OTLPTraceExporter(
    headers === undefined ? {} : { headers: async () => parseKeyPairsIntoRecord(headers()) },
  )
  const monitor = new ExportMonitor(exporter, options.onExportFailed)
  const processor = monitor.count(
    new BatchSpanProcessor({
      exporter: monitor,
      scheduledDelayMillis: options.batchDelayMs,
      maxQueueSize: maxWaitingSpans,
    }),
  )
  const provider = new TracerProvider({
    // Attributes from the environment win.
    resource: resourceFromAttributes({
      'service.name': options.service,
      'service.version': options.version,
      'service.instance.id': options.instance,
    }).merge(detectResources({ detectors: [envDetector] })),
    sampler: createSampler(options.sampler, options.samplerRatio),
    spanProcessors: [processor],
  })
  const tracer = provider.getTracer('tally', options.version)

  const startSpan = (
    name: string,
    { kind = 'internal', parent, attributes = {} }: SpanOptions = {},
  ): OpenSpan => {
    const parentContext = parent === undefined ? context.active() : extractContext(parent, propagator)
    return new OpenSpan(
      tracer.startSpan(name, { kind: kinds[kind], attributes: removeUndefined(attributes) }, parentContext),
      parentContext,
    )
  }
  const withSpan = <T>(span: Span, work: () => T): T => context.with((span as OpenSpan).context, work)

  return {
    startSpan,
    withSpan,
    trace(name, spanOptions, work) {
      const span = startSpan(name, spanOptions)
      return withSpan(span, () => runAndEnd(span, work))
    },
    ids() {
      const active = trace.getActiveSpan()
      return active && toTraceIds(active)
    },
    traceparent() {
      const carrier = new Map<string, string>()
      propagator.inject(context.active(), carrier, { set: (into, key, value) => into.set(key, value) })
      return carrier.get('traceparent')
    },
    get droppedSpans() {
      return monitor.droppedSpans
    },
    async close() {
      await withTimeout(provider.shutdown(), options.closeTimeoutMs).catch(() => {})
    },
  }
}

/** Spans that may wait for their export; the SDK silently drops more. */
const maxWaitingSpans = 2_048

/** Counts the spans that a batch processor drops before they reach the exporter. */
class ExportMonitor implements SpanExporter {
  droppedSpans = 0
  #waiting = 0
  readonly #exporter: SpanExporter
  readonly #onFailed: ((error: unknown) => void) | undefined

  constructor(exporter: SpanExporter, onFailed: ((error: unknown) => void) | undefined) {
    this.#exporter = exporter
    this.#onFailed = onFailed
  }

  /** Wraps the processor that exports through this exporter. */
  count(processor: SpanProcessor): SpanProcessor {
    return {
      onStart: (span, parent) => processor.onStart(span, parent),
      onEnd: (span) => {
        if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0) {
          if (this.#waiting < maxWaitingSpans) this.#waiting++
          else this.droppedSpans++
        }
        processor.onEnd(span)
      },
      forceFlush: () => processor.forceFlush(),
      shutdown: () => processor.shutdown(),
    }
  }

  export(spans: ReadableSpan[], onResult: (result: ExportResult) => void): void {
    this.#waiting -= spans.length
    this.#exporter.export(spans, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) {
        this.droppedSpans += spans.length
        this.#onFailed?.(result.error)
      }
      onResult(result)
    })
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }
}

class OpenSpan implements Span {
  readonly #span: OtelSpan
  /** The context in which this span is active. */
  readonly context: Context

  constructor(span: OtelSpan, parentContext: Context) {
    this.#span = span
    this.context = trace.setSpan(parentContext, span)
  }

  get ids(): TraceIds {
    return toTraceIds(this.#span)
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(removeUndefined(attributes))
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

/** Runs `work` and ends the span when it returns, throws, or its promise settles. */
function runAndEnd<T>(span: Span, work: () => T): T {
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

function extractContext(parent: RemoteParent, propagator: W3CTraceContextPropagator): Context {
  return propagator.extract(ROOT_CONTEXT, parent, {
    get: (carrier, key) => carrier[key as keyof RemoteParent],
    keys: (carrier) => Object.keys(carrier),
  })
}

function toTraceIds(span: OtelSpan): TraceIds {
  const { traceId, spanId } = span.spanContext()
  return { trace_id: traceId, span_id: spanId }
}

function removeUndefined(attributes: Attributes): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(attributes).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
    ),
  )
}
