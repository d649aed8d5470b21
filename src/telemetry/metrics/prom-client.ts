/**
 * The classes of prom-client, without its index: the index also loads `node:cluster` and `node:http`, which would
 * delay every start. Import types from `prom-client` and values from here.
 */
export { default as Counter } from 'prom-client/lib/counter.js'
export { default as Gauge } from 'prom-client/lib/gauge.js'
export { default as Histogram } from 'prom-client/lib/histogram.js'
export { default as Registry } from 'prom-client/lib/registry.js'
