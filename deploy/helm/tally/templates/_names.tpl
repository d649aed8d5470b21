{{/* The value of app.kubernetes.io/name. */}}
{{- define "tally.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The first part of all names. Short enough for the longest suffix, so that two objects never share a cut name. */}}
{{- define "tally.fullname" -}}
{{- $name := include "tally.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{/*
The name and labels by which selectors find the pods of a component; a Deployment's selector cannot be changed.
Takes {root, component}.
*/}}
{{- define "tally.selector" -}}
app.kubernetes.io/name: {{ include "tally.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/*
The metadata of an object.
Takes {root}, and optionally {component, name, labels, annotations}; `name` is the suffix of the name, and by default
the component.
*/}}
{{- define "tally.metadata" -}}
{{- $root := .root -}}
{{- $suffix := default .component .name -}}
name: {{ include "tally.fullname" $root }}{{ with $suffix }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  app.kubernetes.io/name: {{ include "tally.name" $root }}
  app.kubernetes.io/instance: {{ $root.Release.Name }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
  {{- with merge (dict) (default (dict) .labels) $root.Values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) $root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The name of a component's service account. Takes {root, component}. */}}
{{- define "tally.serviceAccountName" -}}
{{- $own := printf "%s-%s" (include "tally.fullname" .root) .component -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- default (ternary $own "default" $account.create) $account.name -}}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "tally.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}
