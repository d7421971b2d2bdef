{{- define "tapegate.name" -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "tapegate.selector" -}}
app.kubernetes.io/name: tapegate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tapegate.labels" -}}
{{ include "tapegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "tapegate.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "tapegate.name" .) -}}
{{- end -}}
