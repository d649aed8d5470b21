/** The trace and the span, under the names of the log fields. */
export type TraceIds = {
  readonly trace_id: string
  readonly span_id: string
}

/** The span kinds of OpenTelemetry. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export interface SpanOptions {
  /** Default internal. */
  readonly kind?: SpanKind
  /** A parent in another process. Default: the active span. */
  readonly parent?: RemoteParent | undefined
  readonly attributes?: Attributes
}

/** A span in another process, as its W3C headers name it. */
export interface RemoteParent {
  readonly traceparent: string
  readonly tracestate?: string | undefined
}

/** One timed piece of work. */
export interface Span {
  readonly ids: TraceIds
  set(attributes: Attributes): void
  /** Marks the span as failed and records the error. */
  fail(error?: unknown): void
  end(): void
}

/** Sends spans to a collector. Undefined if tracing is off. */
export interface Tracing {
  /** Starts a span. The caller must end it. */
  startSpan(name: string, options?: SpanOptions): Span
  /** Runs `work` with `span` active: spans started by it, also later and asynchronously, are children of `span`. */
  withSpan<T>(span: Span, work: () => T): T
  /** Runs `work` in a new span and ends the span. An error fails the span and is thrown again. */
  trace<T>(name: string, options: SpanOptions, work: () => T): T
  /** The ids of the active span for a log line; undefined without one. */
  ids(): TraceIds | undefined
  /** The W3C header for another process; undefined without an active span. */
  traceparent(): string | undefined
  /** Ended spans that no collector received: their export failed, or too many waited for it. */
  readonly droppedSpans: number
  /** Sends the ended spans. Resolves within a time limit even if the collector is unreachable. */
  close(): Promise<void>
}
