#!/bin/sh
# Reports a failed build to NOTIFY_URL, a webhook that accepts {"text": ...} (Slack, Mattermost, Teams and others). Does
# nothing without a webhook, and never fails, because it runs after a failure.
set -u
if [ -z "${NOTIFY_URL:-}" ]; then
  echo "NOTIFY_URL is not set: no notification is sent"
  exit
fi
commit=$(git log -1 --format='%h %s' 2>/dev/null | tr -cd '[:alnum:] .,:;()/_-')
text="Failed: ${JOB_NAME:-tally} ${BUILD_NUMBER:-} (${commit:-unknown commit}) ${BUILD_URL:-}"
curl --silent --show-error --max-time 20 --header 'Content-Type: application/json' --data "{\"text\":\"$text\"}" "$NOTIFY_URL" ||
  echo "Not notified"
