/** Where something belongs in a trace, as the logs name it. */
export type TraceIds = {
  readonly trace_id: string
  readonly span_id: string
}

/** What a piece of work is to others, in OpenTelemetry's words. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export interface SpanOptions {
  /** Default internal. */
  readonly kind?: SpanKind
  /** What it belongs under. Default: what is active. */
  readonly parent?: Parent | undefined
  readonly attributes?: Attributes
}

/** Something in another process: the W3C headers that told of it. */
export interface Parent {
  readonly traceparent: string
  readonly tracestate?: string | undefined
}

/** A piece of work that is being timed. */
export interface Span {
  readonly ids: TraceIds
  set(attributes: Attributes): void
  /** It did not do what it should; the error's message is told, where there is one. */
  fail(error?: unknown): void
  end(): void
}

/** Tells a collector which work belongs together and how long each part took. There is none where tracing is off. */
export interface Tracing {
  /** Begins a span; it must be ended. */
  start(name: string, options?: SpanOptions): Span
  /** Does work with a span active: what begins meanwhile, also asynchronously, belongs under it. */
  under<T>(span: Span, work: () => T): T
  /** Does work as a span of its own, which ends with it; what the work throws fails the span, and is thrown on. */
  within<T>(name: string, options: SpanOptions, work: () => T): T
  /** What is active now, for a log line; undefined when nothing is. */
  ids(): TraceIds | undefined
  /** The W3C header that tells another process what is active now; undefined when nothing is. */
  traceparent(): string | undefined
  /** Sends what has ended. Resolves in time, also when nobody takes it. */
  close(): Promise<void>
}
