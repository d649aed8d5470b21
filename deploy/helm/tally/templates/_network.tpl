{{/* Egress rules that every pod has: DNS, by port only, because DNS may be a pod or a process on the node. */}}
{{- define "tally.dnsEgress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{/* An egress rule to a store. Takes the store's part of networkPolicy. */}}
{{- define "tally.storeEgress" -}}
- to:
    {{- toYaml .peers | nindent 4 }}
  ports:
    - port: {{ ternary .port (toString .port) (kindIs "string" .port) }}
      protocol: TCP
{{- end -}}

{{/* An ingress rule for /metrics and the admin routes. */}}
{{- define "tally.metricsIngress" -}}
{{- with .Values.networkPolicy.monitoring -}}
- from:
    {{- toYaml . | nindent 4 }}
  ports:
    - port: metrics
      protocol: TCP
{{- end -}}
{{- end -}}
